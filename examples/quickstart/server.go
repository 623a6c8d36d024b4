package main

import (
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"net"

	sqle "github.com/dolthub/go-mysql-server"
	"github.com/dolthub/go-mysql-server/memory"
	"github.com/dolthub/go-mysql-server/server"
	gmssql "github.com/dolthub/go-mysql-server/sql"
	"github.com/sirupsen/logrus"
)

// startServer starts a MySQL server in this process and returns its DSN.
func (e *environment) startServer() (string, error) {
	logrus.SetLevel(logrus.PanicLevel) // the server's own log is not the example's subject
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	db := memory.NewDatabase("shop")
	db.EnablePrimaryKeyIndexes()
	provider := memory.NewDBProvider(db)
	s, err := server.NewServer(server.Config{Protocol: "tcp", Listener: listener}, sqle.NewDefault(provider), gmssql.NewContext, memory.NewSessionBuilder(provider), nil)
	if err != nil {
		return "", err
	}
	go func() { _ = s.Start() }() // it returns when the server is closed
	e.onClose(func() { _ = s.Close() })
	fmt.Println("In-process MySQL server at", listener.Addr())
	return fmt.Sprintf("root@tcp(%s)/shop", listener.Addr()), nil
}

// baseConnector returns the connector of the bare driver.
func baseConnector(db *sql.DB, dsn string) (sqldriver.Connector, error) {
	d, ok := db.Driver().(sqldriver.DriverContext)
	if !ok {
		return nil, errors.New("the bare driver has no connectors")
	}
	return d.OpenConnector(dsn)
}
