// Package applications holds the storage of six mock applications: an OIDC provider, a CI
// server, an authentication server, a notes server, a payment node and a workload-identity
// server. Each has its own migrations by a framework, its own statements, and a policy. The
// tests run each operation on the bare driver and through sealsql, and compare the outcomes.
package applications
