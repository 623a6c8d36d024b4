package corpus

// Size is how many statements the corpus holds, so that a file that is not read
// does not pass unnoticed.
var Size = map[string]int{"postgres": 702, "mysql": 658}

// Searched is how many statements search protected columns.
var Searched = map[string]int{"postgres": 237, "mysql": 218}
