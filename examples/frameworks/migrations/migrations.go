// Package migrations runs the migrations of an application with twelve tables, as they
// are written for columns in clear, through sealsql: by the tools that take SQL files
// and by those that make the schema from the application's types. Its tests do so on
// every server, from an empty database to the newest schema and down again.
package migrations
