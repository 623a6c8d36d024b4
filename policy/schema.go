package policy

import _ "embed"

//go:embed schema.json
var schema []byte

// Schema returns the JSON Schema (draft 2020-12) of a policy, for editors. It
// knows the fields and their words; what they mean together only Parse checks.
func Schema() []byte { return append([]byte(nil), schema...) }
