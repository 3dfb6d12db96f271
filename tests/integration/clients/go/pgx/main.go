// pgx v4: its own implementation of the protocol, binary results, prepared statements by default.
// Called as `pgx FILE`; clients/report.py says what is printed.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgx/v4"
)

type target struct {
	Name, Mode, Host, User, Password, Database, CA, Schema string
	Version, Port                                          int
	TLS                                                    bool
}

func connect(ctx context.Context, t target, change func(*pgx.ConnConfig)) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig("sslmode=disable connect_timeout=10")
	if err != nil {
		return nil, err
	}
	config.Host, config.Port, config.Database = t.Host, uint16(t.Port), t.Database
	config.User, config.Password = t.User, t.Password
	config.RuntimeParams["search_path"] = t.Schema
	if t.TLS {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, err
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		config.TLSConfig = &tls.Config{RootCAs: roots, ServerName: t.Host}
	}
	config.Fallbacks = nil
	if change != nil {
		change(config)
	}
	return pgx.ConnectConfig(ctx, config)
}

func using(ctx context.Context, t target, work func(*pgx.Conn) error) error {
	conn, err := connect(ctx, t, nil)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return work(conn)
}

func wantState(err error, state string) error {
	var told *pgconn.PgError
	if !errors.As(err, &told) || told.Code != state {
		return fmt.Errorf("wanted SQLSTATE %s, saw %v", state, err)
	}
	return nil
}

func wantNumber(ctx context.Context, conn *pgx.Conn, wanted int, text string, arguments ...interface{}) error {
	var seen int
	if err := conn.QueryRow(ctx, text, arguments...).Scan(&seen); err != nil {
		return err
	}
	if seen != wanted {
		return fmt.Errorf("%s: saw %d, wanted %d", text, seen, wanted)
	}
	return nil
}

func session(ctx context.Context, t target) error {
	return using(ctx, t, func(conn *pgx.Conn) error {
		if err := wantNumber(ctx, conn, t.Version, "select current_setting('server_version_num')::int / 10000"); err != nil {
			return err
		}
		return wantNumber(ctx, conn, 42, "select $1::int * $2::int", 6, 7)
	})
}

func wrongPassword(ctx context.Context, t target) error {
	_, err := connect(ctx, t, func(c *pgx.ConnConfig) { c.Password = "wrong" })
	if err := wantState(err, "28P01"); err != nil {
		return err
	}
	_, err = connect(ctx, t, func(c *pgx.ConnConfig) { c.Database = "no_such_database" })
	return wantState(err, "3D000")
}

func transactions(ctx context.Context, t target) error {
	return using(ctx, t, func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, "create temp table accounts (id int primary key, amount int)"); err != nil {
			return err
		}
		err := conn.BeginFunc(ctx, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "insert into accounts values ($1, $2)", 1, 10); err != nil {
				return err
			}
			return wantState(tx.BeginFunc(ctx, func(inner pgx.Tx) error {
				_, err := inner.Exec(ctx, "insert into accounts values (1, 1)")
				return err
			}), "23505")
		})
		if err != nil {
			return err
		}
		return wantNumber(ctx, conn, 10, "select sum(amount)::int from accounts")
	})
}

func prepared(ctx context.Context, t target) error {
	return using(ctx, t, func(conn *pgx.Conn) error {
		if _, err := conn.Prepare(ctx, "mine", "select $1::int + 1"); err != nil {
			return err
		}
		for i := 0; i < 200; i++ {
			if err := wantNumber(ctx, conn, i+1, "mine", i); err != nil {
				return err
			}
		}
		_, err := conn.Exec(ctx, "deallocate mine")
		return err
	})
}

// Several at once with the cache of statements, which is on by default.
func shared(ctx context.Context, t target) error {
	var sessions []*pgx.Conn
	for number := 0; number < 4; number++ {
		conn, err := connect(ctx, t, nil)
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		if _, err := conn.Exec(ctx, fmt.Sprintf("set statement_timeout = '%ds'", 100+number)); err != nil {
			return err
		}
		sessions = append(sessions, conn)
	}
	for turn := 0; turn < 15; turn++ {
		for number, conn := range sessions {
			if err := wantNumber(ctx, conn, turn+number, fmt.Sprintf("select $1::int + %d", number), turn); err != nil {
				return err
			}
			err := conn.BeginFunc(ctx, func(tx pgx.Tx) error {
				return wantNumber(ctx, conn, turn*number, fmt.Sprintf("select $1::int * %d", number), turn)
			})
			if err != nil {
				return err
			}
		}
	}
	for number, conn := range sessions {
		text := "select rtrim(current_setting('statement_timeout'), 's')::int"
		if err := wantNumber(ctx, conn, 100+number, text); err != nil {
			return err
		}
	}
	return nil
}

func pipeline(ctx context.Context, t target) error {
	return using(ctx, t, func(conn *pgx.Conn) error {
		batch := &pgx.Batch{}
		for i := 0; i < 500; i++ {
			batch.Queue("select $1::int * 2", i)
		}
		answers := conn.SendBatch(ctx, batch)
		for i := 0; i < 500; i++ {
			var seen int
			if err := answers.QueryRow().Scan(&seen); err != nil {
				return err
			}
			if seen != i*2 {
				return fmt.Errorf("saw %d, wanted %d", seen, i*2)
			}
		}
		return answers.Close()
	})
}

func copyBoth(ctx context.Context, t target) error {
	return using(ctx, t, func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, "create temp table copied (id int, line text)"); err != nil {
			return err
		}
		var lines, back bytes.Buffer
		for i := 0; i < 20000; i++ {
			fmt.Fprintf(&lines, "%d\t%s\n", i, strings.Repeat("-", i%200))
		}
		if _, err := conn.PgConn().CopyFrom(ctx, bytes.NewReader(lines.Bytes()), "copy copied from stdin"); err != nil {
			return err
		}
		if _, err := conn.PgConn().CopyTo(ctx, &back, "copy (select * from copied order by id) to stdout"); err != nil {
			return err
		}
		if !bytes.Equal(lines.Bytes(), back.Bytes()) {
			return errors.New("other bytes came back")
		}
		return nil
	})
}

func notify(ctx context.Context, t target) error {
	return using(ctx, t, func(listener *pgx.Conn) error {
		return using(ctx, t, func(speaker *pgx.Conn) error {
			if _, err := listener.Exec(ctx, "listen pgx"); err != nil {
				return err
			}
			if _, err := speaker.Exec(ctx, "notify pgx, 'hello'"); err != nil {
				return err
			}
			note, err := listener.WaitForNotification(ctx)
			if err == nil && note.Payload != "hello" {
				err = fmt.Errorf("heard %q", note.Payload)
			}
			return err
		})
	})
}

// pgx sends its CancelRequest without TLS.
func cancel(ctx context.Context, t target) error {
	return using(ctx, t, func(conn *pgx.Conn) error {
		time.AfterFunc(250*time.Millisecond, func() { conn.PgConn().CancelRequest(ctx) })
		started := time.Now()
		_, err := conn.Exec(ctx, "select pg_sleep(30)")
		if err := wantState(err, "57014"); err != nil {
			return err
		}
		if time.Since(started) > 15*time.Second {
			return errors.New("the cancel was late")
		}
		return wantNumber(ctx, conn, 1, "select 1")
	})
}

func failures(ctx context.Context, t target) error {
	return using(ctx, t, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "selec 1")
		if err := wantState(err, "42601"); err != nil {
			return err
		}
		_, err = conn.Exec(ctx, "select 1 / $1::int", 0)
		if err := wantState(err, "22012"); err != nil {
			return err
		}
		_, err = conn.Exec(ctx, "select pg_terminate_backend(pg_backend_pid())")
		return wantState(err, "57P01")
	})
}

func main() {
	scenarios := []struct {
		name string
		run  func(context.Context, target) error
	}{{"session", session}, {"wrong_password", wrongPassword}, {"transactions", transactions}, {"prepared", prepared}, {"shared", shared},
		{"pipeline", pipeline}, {"copy", copyBoth}, {"notify", notify}, {"cancel", cancel}, {"failures", failures}}
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	var targets []target
	if err := json.Unmarshal(text, &targets); err != nil {
		panic(err)
	}
	for _, t := range targets {
		for _, scenario := range scenarios {
			ctx, done := context.WithTimeout(context.Background(), time.Minute)
			if err := scenario.run(ctx, t); err != nil {
				fmt.Printf("not ok %s %s: %s\n", t.Name, scenario.name, strings.ReplaceAll(err.Error(), "\n", " | "))
			} else {
				fmt.Printf("ok %s %s\n", t.Name, scenario.name)
			}
			done()
		}
	}
}
