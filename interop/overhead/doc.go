// Package overhead measures what sealsql costs beside the bare driver, and beside
// two other wrappers of database/sql, in one run: bare and wrapped rounds
// alternate, and each figure is the median of the rounds' ratios with its quartiles.
//
//	make bench-overhead
package overhead
