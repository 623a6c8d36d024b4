// Package drills holds the long proofs of what sealsql promises under load and
// under failure, against real servers and a fake KMS with faults: Regions that go
// down under writing clients, long scans, thousands of values moved behind the
// driver's back, sinks that hang. As tests they run for seconds and check what does
// not depend on the machine; the Makefile's targets run them whole, check the timings too,
// and print the figures:
//
//	make drill         every Region in turn taken down, hung and throttled under 64 clients
//	make drill-scan    a long SELECT with a data key per value
//	make drill-swaps   10,000 values moved or changed, 1,000,000 clean reads
//	make drill-sinks   sinks that block, panic and fail
package drills
