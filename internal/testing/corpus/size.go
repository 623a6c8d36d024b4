package corpus

// Size is how many statements the corpus holds, so that a file that is not read
// does not pass unnoticed.
var Size = map[string]int{"postgres": 828, "mysql": 762}

// Searched is how many statements search protected columns.
var Searched = map[string]int{"postgres": 306, "mysql": 294}

// Written is how many statements write searchable columns.
var Written = map[string]int{"postgres": 239, "mysql": 195}

// Applications is how many statements of applications and their libraries there are.
var Applications = map[string]int{"postgres": 346, "mysql": 295}
