// lib/pq through database/sql. Called as `libpq-go FILE`; clients/report.py says what is printed.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/lib/pq"
)

type target struct {
	Name, Mode, Host, User, Password, Database, CA, Schema string
	Version, Port                                          int
	TLS                                                    bool
}

func dsn(t target, password, database string) string {
	words := url.Values{"connect_timeout": {"10"}, "search_path": {t.Schema}, "sslmode": {"disable"}}
	if t.TLS {
		words.Set("sslmode", "verify-full")
		words.Set("sslrootcert", t.CA)
	}
	address := url.URL{Scheme: "postgres", User: url.UserPassword(t.User, password),
		Host: fmt.Sprintf("%s:%d", t.Host, t.Port), Path: "/" + database, RawQuery: words.Encode()}
	return address.String()
}

func using(t target, work func(*sql.DB) error) error {
	db, err := sql.Open("postgres", dsn(t, t.Password, t.Database))
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	return work(db)
}

func wantState(err error, state string) error {
	var told *pq.Error
	if !errors.As(err, &told) || string(told.Code) != state {
		return fmt.Errorf("wanted SQLSTATE %s, saw %v", state, err)
	}
	return nil
}

func wantNumber(ctx context.Context, db *sql.DB, wanted int, text string, arguments ...interface{}) error {
	var seen int
	if err := db.QueryRowContext(ctx, text, arguments...).Scan(&seen); err != nil {
		return err
	}
	if seen != wanted {
		return fmt.Errorf("%s: saw %d, wanted %d", text, seen, wanted)
	}
	return nil
}

func session(ctx context.Context, t target) error {
	return using(t, func(db *sql.DB) error {
		if err := wantNumber(ctx, db, t.Version, "select current_setting('server_version_num')::int / 10000"); err != nil {
			return err
		}
		return wantNumber(ctx, db, 42, "select $1::int * $2::int", 6, 7)
	})
}

func wrongPassword(ctx context.Context, t target) error {
	for _, each := range [][3]string{{"wrong", t.Database, "28P01"}, {t.Password, "no_such_database", "3D000"}} {
		db, err := sql.Open("postgres", dsn(t, each[0], each[1]))
		if err != nil {
			return err
		}
		err = db.PingContext(ctx)
		db.Close()
		if err := wantState(err, each[2]); err != nil {
			return err
		}
	}
	return nil
}

func transactions(ctx context.Context, t target) error {
	return using(t, func(db *sql.DB) error {
		if _, err := db.ExecContext(ctx, "create temp table accounts (id int primary key, amount int)"); err != nil {
			return err
		}
		for i := 0; i < 2; i++ {
			tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
			if err != nil {
				return err
			}
			if _, err := tx.Exec("insert into accounts values ($1, 10)", i); err != nil {
				return err
			}
			if i == 0 {
				err = tx.Commit()
			} else {
				err = tx.Rollback()
			}
			if err != nil {
				return err
			}
		}
		return wantNumber(ctx, db, 10, "select sum(amount) from accounts")
	})
}

// Several at once; database/sql prepares, executes and closes a statement each time, and keeps one that it is told to.
func shared(ctx context.Context, t target) error {
	db, err := sql.Open("postgres", dsn(t, t.Password, t.Database))
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(4)
	failures := make(chan error, 8)
	for number := 0; number < cap(failures); number++ {
		go func(number int) { failures <- sharedBy(ctx, db, number) }(number)
	}
	for i := 0; i < cap(failures); i++ {
		if one := <-failures; one != nil {
			err = one
		}
	}
	return err
}

func sharedBy(ctx context.Context, db *sql.DB, number int) error {
	kept, err := db.PrepareContext(ctx, fmt.Sprintf("select $1::int + %d", number))
	if err != nil {
		return err
	}
	defer kept.Close()
	for turn := 0; turn < 15; turn++ {
		var seen int
		if err := kept.QueryRowContext(ctx, turn).Scan(&seen); err != nil {
			return err
		}
		if seen != turn+number {
			return fmt.Errorf("saw %d, wanted %d", seen, turn+number)
		}
		if err := wantNumber(ctx, db, turn*number, fmt.Sprintf("select $1::int * %d", number), turn); err != nil {
			return err
		}
	}
	return nil
}

func prepared(ctx context.Context, t target) error {
	return using(t, func(db *sql.DB) error {
		statement, err := db.PrepareContext(ctx, "select $1::int + 1")
		if err != nil {
			return err
		}
		defer statement.Close()
		for i := 0; i < 200; i++ {
			var seen int
			if err := statement.QueryRow(i).Scan(&seen); err != nil || seen != i+1 {
				return fmt.Errorf("saw %d, %v", seen, err)
			}
		}
		return nil
	})
}

func copyIn(ctx context.Context, t target) error {
	return using(t, func(db *sql.DB) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if _, err := tx.Exec("create temp table copied (id int, line text)"); err != nil {
			return err
		}
		statement, err := tx.Prepare(pq.CopyIn("copied", "id", "line"))
		if err != nil {
			return err
		}
		for i := 0; i < 20000; i++ {
			if _, err := statement.Exec(i, strings.Repeat("-", i%200)); err != nil {
				return err
			}
		}
		if _, err := statement.Exec(); err != nil {
			return err
		}
		if err := statement.Close(); err != nil {
			return err
		}
		var seen int
		if err := tx.QueryRow("select count(*) from copied where length(line) = id % 200").Scan(&seen); err != nil || seen != 20000 {
			return fmt.Errorf("saw %d rows, %v", seen, err)
		}
		return nil
	})
}

func notify(ctx context.Context, t target) error {
	listener := pq.NewListener(dsn(t, t.Password, t.Database), time.Second, time.Second, nil)
	defer listener.Close()
	if err := listener.Listen("libpqgo"); err != nil {
		return err
	}
	return using(t, func(db *sql.DB) error {
		if _, err := db.ExecContext(ctx, "notify libpqgo, 'hello'"); err != nil {
			return err
		}
		for {
			select {
			case note := <-listener.Notify:
				if note == nil { // the connection was made
					continue
				}
				if note.Extra != "hello" {
					return fmt.Errorf("heard %q", note.Extra)
				}
				return nil
			case <-time.After(10 * time.Second):
				return errors.New("no notification")
			}
		}
	})
}

// lib/pq cancels over TLS where the session has TLS.
func cancel(ctx context.Context, t target) error {
	return using(t, func(db *sql.DB) error {
		short, done := context.WithTimeout(ctx, 250*time.Millisecond)
		defer done()
		started := time.Now()
		_, err := db.ExecContext(short, "select pg_sleep(30)")
		if err := wantState(err, "57014"); err != nil {
			return err
		}
		if time.Since(started) > 15*time.Second {
			return errors.New("the cancel was late")
		}
		return wantNumber(ctx, db, 1, "select 1")
	})
}

func failures(ctx context.Context, t target) error {
	return using(t, func(db *sql.DB) error {
		_, err := db.ExecContext(ctx, "selec 1")
		if err := wantState(err, "42601"); err != nil {
			return err
		}
		// database/sql is told only that the connection is of no use any more, and makes a new one.
		if _, err = db.ExecContext(ctx, "select pg_terminate_backend(pg_backend_pid())"); err == nil {
			return errors.New("terminated, and yet it answers")
		}
		return wantNumber(ctx, db, 1, "select 1")
	})
}

func main() {
	scenarios := []struct {
		name string
		run  func(context.Context, target) error
	}{{"session", session}, {"wrong_password", wrongPassword}, {"transactions", transactions}, {"prepared", prepared}, {"shared", shared},
		{"copy", copyIn}, {"notify", notify}, {"cancel", cancel}, {"failures", failures}}
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
