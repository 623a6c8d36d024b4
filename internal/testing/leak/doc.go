// Package leak looks for statements that carry a protected column's plaintext to the
// server. It has tests only; make fuzz-leak runs them at length.
//
// Statements are made from the corpus, the hostile statements and the seeds of
// testdata, in two ways: their syntax trees are recombined by reflection over the
// parsers' node types, and their texts are cut and joined token by token. Literals and
// arguments become markers. A statement goes through sealsql to a real server that
// writes a log of what it is sent.
//
// A marker in that log is a leak if it means a protected column. Neither sealsql nor
// its planners decide that:
//
//   - The marker is part of a comparison that was planted, which names its own table.
//   - On a twin database without protection the statement stores the marker in the
//     column that is protected.
//   - On the twin the result depends on whether the protected columns hold the marker.
//
// What the tables hold afterwards is looked at, too: no protected column in clear, no
// ciphertext in another column, and each marker in the unprotected columns in which the
// twin has it.
package leak
