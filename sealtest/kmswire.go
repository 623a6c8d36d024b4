package sealtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
)

// maxRequest bounds a request's body: KMS takes no more than some kilobytes of
// plaintext and context.
const maxRequest = 1 << 20

// kmsError is an error as the protocol carries it.
type kmsError struct {
	code    string
	message string
}

func (e *kmsError) Error() string { return e.code + ": " + e.message }

func kmsErrorf(code, format string, args ...any) *kmsError {
	return &kmsError{code: code, message: fmt.Sprintf(format, args...)}
}

// status is the HTTP status of an error code, by the service's API reference.
func (e *kmsError) status() int {
	switch e.code {
	case "KMSInternalException", "KeyUnavailableException", "InternalFailure":
		return http.StatusInternalServerError
	case "DependencyTimeoutException", "ServiceUnavailableException", "ServiceUnavailable":
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

var requestNumber atomic.Uint64

// ServeHTTP answers one call of the AWS JSON 1.1 protocol.
func (k *KMS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		k.writeError(w, kmsErrorf("SerializationException", "the body cannot be read"))
		return
	}
	region, scopeErr := regionOf(r, "kms")
	if scopeErr != nil {
		k.writeError(w, scopeErr)
		return
	}
	operation, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")
	if !ok || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-amz-json-1.1" {
		k.writeError(w, kmsErrorf("UnknownOperationException", ""))
		return
	}
	call := &Call{CallKind: CallKind{Region: region, Operation: operation}}
	k.log.arrive(region)
	verdict := k.faults.judge(r.Context(), k.closing, region)
	answer, failure := k.answer(verdict, call, body)
	call.Outcome = outcome(verdict, failure)
	k.log.done(*call)
	switch {
	case verdict.gone || verdict.reset:
		breakConnection(w)
	case verdict.status != 0:
		writePage(w, verdict.status)
	case failure != nil:
		k.writeError(w, failure)
	default:
		writeJSON(w, http.StatusOK, answer)
	}
}

func (k *KMS) answer(v verdict, call *Call, body []byte) (any, *kmsError) {
	var in request
	parseErr := json.Unmarshal(body, &in)
	call.Key = in.keyID()
	call.Context, call.DestinationContext, call.GrantTokens = in.context(), in.DestinationEncryptionContext, in.GrantTokens
	switch {
	case v.gone || v.reset || v.status != 0:
		return nil, nil
	case v.code == "ThrottlingException":
		return nil, kmsErrorf(v.code, "Rate exceeded")
	case v.code != "":
		return nil, kmsErrorf(v.code, "a fault that the test set")
	case parseErr != nil:
		return nil, kmsErrorf("SerializationException", "the body is not the JSON of a request")
	}
	run, ok := operations[call.Operation]
	if !ok {
		return nil, kmsErrorf("UnknownOperationException", "")
	}
	return run(k, call, &in)
}

func outcome(v verdict, failure *kmsError) string {
	switch {
	case v.gone || v.reset:
		return NoAnswer
	case v.status != 0:
		return strconv.Itoa(v.status)
	case failure != nil:
		return failure.code
	}
	return OK
}

// regionOf reads the Region from the request's signature:
//
//	AWS4-HMAC-SHA256 Credential=AKID/20260102/us-east-1/kms/aws4_request, ...
func regionOf(r *http.Request, service string) (string, *kmsError) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return "", kmsErrorf("MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	_, scope, _ := strings.Cut(header, "Credential=")
	scope, _, _ = strings.Cut(scope, ",")
	parts := strings.Split(strings.TrimSpace(scope), "/")
	if len(parts) < 5 || parts[len(parts)-1] != "aws4_request" {
		return "", kmsErrorf("IncompleteSignatureException", "the credential scope is not of the form id/date/region/service/aws4_request")
	}
	if got := parts[len(parts)-2]; got != service {
		return "", kmsErrorf("InvalidSignatureException", "the credential should be scoped to the service %s, not %s", service, got)
	}
	return parts[len(parts)-3], nil
}

func (k *KMS) writeError(w http.ResponseWriter, e *kmsError) {
	writeJSON(w, e.status(), map[string]string{"__type": e.code, "message": e.message})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	encoded, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	header := w.Header()
	header.Set("Content-Type", "application/x-amz-json-1.1")
	header.Set("X-Amzn-Requestid", requestID())
	header.Set("Content-Length", strconv.Itoa(len(encoded)))
	w.WriteHeader(status)
	w.Write(encoded)
}

func writePage(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<html><body><h1>%d %s</h1></body></html>", status, http.StatusText(status))
}

func requestID() string {
	return fmt.Sprintf("00000000-0000-4000-8000-%012x", requestNumber.Add(1))
}

// breakConnection closes the connection with a TCP reset in place of an
// answer.
func breakConnection(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if errors.Is(err, http.ErrNotSupported) {
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}
