package corpus

// Size is how many statements the corpus holds, so that a file that is not read
// does not pass unnoticed.
var Size = map[string]int{"postgres": 702, "mysql": 658}

// Searched is how many statements search protected columns.
var Searched = map[string]int{"postgres": 237, "mysql": 218}

// Written is how many statements write searchable columns.
var Written = map[string]int{"postgres": 223, "mysql": 185}
