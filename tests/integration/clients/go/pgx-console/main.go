// What pgx v4, with its prepared statements and binary results, reads from the console: `pgx-console DSN STATEMENT`
// prints the rows as JSON, a list of objects.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgtype"
	"github.com/jackc/pgx/v4"
)

func rows(ctx context.Context, dsn, statement string) ([]map[string]interface{}, error) {
	connection, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	defer connection.Close(ctx)
	found, err := connection.Query(ctx, statement)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	all := []map[string]interface{}{}
	for found.Next() {
		values, err := found.Values()
		if err != nil {
			return nil, err
		}
		row := map[string]interface{}{}
		for i, field := range found.FieldDescriptions() {
			if number, ok := values[i].(pgtype.Numeric); ok && number.Status == pgtype.Present {
				var plain float64
				if err := number.AssignTo(&plain); err != nil {
					return nil, err
				}
				values[i] = plain
			}
			row[string(field.Name)] = values[i]
		}
		all = append(all, row)
	}
	return all, found.Err()
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	all, err := rows(ctx, os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(all)
}
