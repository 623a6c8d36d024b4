// Package keyservice stands between a process and a remote key service, so that
// neither brings the other down. It knows no cloud's types: a provider such as
// codec/awskms passes its client, its requests and the meaning of its errors.
//
// The words of this package:
//
//   - an endpoint is the service at one place, such as KMS in one Region. It has a
//     circuit breaker, a rate limiter and a bound on the calls in flight;
//   - a request is sent to one endpoint, in one or several attempts. Each attempt is
//     a call;
//   - an alternative is another endpoint that the caller can ask instead. A request
//     with an alternative does not wait for an endpoint that is slow;
//   - a flight is one call that several callers wait for. Each of them gets a share
//     of the result.
//
// Errors wrap the sentinels of package codec. No secret is ever in an error.
package keyservice
