import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLWarning;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.Timer;
import java.util.TimerTask;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.largeobject.LargeObject;
import org.postgresql.largeobject.LargeObjectManager;
import org.postgresql.util.PSQLException;

/** The PostgreSQL JDBC driver. Called as {@code Suite FILE}, FILE as harness/clients.py writes it for Java. */
public final class Suite {
  interface Scenario {
    void run(Properties target) throws Exception;
  }

  static final long SCENARIO_SECONDS = 60;
  static final Random random = new Random(7);

  static Connection connect(Properties target, String... more) throws SQLException {
    Properties words = new Properties();
    words.setProperty("user", target.getProperty("user"));
    words.setProperty("password", target.getProperty("password"));
    words.setProperty("options", "-c search_path=" + target.getProperty("schema"));
    words.setProperty("connectTimeout", "10");
    words.setProperty("socketTimeout", "40");
    if (target.getProperty("tls").equals("true")) {
      words.setProperty("sslmode", "verify-full");
      words.setProperty("sslrootcert", target.getProperty("ca"));
    } else {
      words.setProperty("sslmode", "disable");
    }
    String database = target.getProperty("database");
    for (int i = 0; i < more.length; i += 2) {
      if (more[i].equals("database")) database = more[i + 1];
      else words.setProperty(more[i], more[i + 1]);
    }
    String url = "jdbc:postgresql://" + target.getProperty("host") + ":" + target.getProperty("port") + "/" + database;
    return DriverManager.getConnection(url, words);
  }

  static void expect(boolean condition, String what) {
    if (!condition) throw new AssertionError(what);
  }

  static void expectEqual(Object seen, Object wanted) {
    if (!seen.equals(wanted)) throw new AssertionError("saw " + seen + ", wanted " + wanted);
  }

  interface Action {
    void run() throws Exception;
  }

  static SQLException expectFailure(String state, Action action) throws Exception {
    try {
      action.run();
    } catch (SQLException failure) {
      expectEqual(String.valueOf(failure.getSQLState()), state);
      return failure;
    }
    throw new AssertionError("no failure with SQLSTATE " + state);
  }

  static int number(Connection connection, String text) throws SQLException {
    try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery(text)) {
      rows.next();
      return rows.getInt(1);
    }
  }

  static void execute(Connection connection, String text) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute(text);
    }
  }

  static String digest(byte[] data) throws Exception {
    StringBuilder hex = new StringBuilder();
    for (byte each : MessageDigest.getInstance("SHA-256").digest(data)) hex.append(String.format("%02x", each));
    return hex.toString();
  }

  static byte[] randomBytes(int size) {
    byte[] data = new byte[size];
    random.nextBytes(data);
    return data;
  }

  static void session(Properties target) throws Exception {
    try (Connection connection = connect(target)) {
      expectEqual(number(connection, "select 6 * 7"), 42);
      expectEqual(connection.getMetaData().getDatabaseMajorVersion(), Integer.valueOf(target.getProperty("version")));
      expect(connection.isValid(5), "isValid");
      try (ResultSet tables = connection.getMetaData().getTables(null, "pg_catalog", "pg_class", null)) {
        expect(tables.next(), "metadata");
      }
    }
  }

  static void wrongPassword(Properties target) throws Exception {
    expectFailure("28P01", () -> connect(target, "password", "wrong"));
    expectFailure("3D000", () -> connect(target, "database", "no_such_database"));
  }

  static void transactions(Properties target) throws Exception {
    try (Connection one = connect(target); Connection two = connect(target)) {
      execute(one, "create table jdbc_accounts (id int primary key, amount int)");
      one.setAutoCommit(false);
      one.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
      execute(one, "insert into jdbc_accounts values (1, 10)");
      expectEqual(number(two, "select count(*) from jdbc_accounts"), 0);
      Savepoint savepoint = one.setSavepoint();
      expectFailure("23505", () -> execute(one, "insert into jdbc_accounts values (1, 1)"));
      expectFailure("25P02", () -> execute(one, "select 1"));
      one.rollback(savepoint);
      one.commit();
      expectEqual(number(two, "select sum(amount) from jdbc_accounts"), 10);
      execute(one, "delete from jdbc_accounts");
      one.rollback();
      expectEqual(number(two, "select count(*) from jdbc_accounts"), 1);
      execute(two, "drop table jdbc_accounts");
    }
  }

  static void prepared(Properties target) throws Exception {
    try (Connection connection = connect(target, "prepareThreshold", "3");
         PreparedStatement statement = connection.prepareStatement("select ?::int + 1, ?::text, ?::bytea")) {
      for (int i = 0; i < 200; i++) {
        byte[] blob = new byte[i];
        Arrays.fill(blob, (byte) i);
        statement.setInt(1, i);
        statement.setString(2, "t" + i);
        statement.setBytes(3, blob);
        try (ResultSet rows = statement.executeQuery()) {
          expect(rows.next(), "a row");
          expectEqual(rows.getInt(1), i + 1);
          expectEqual(rows.getString(2), "t" + i);
          expect(Arrays.equals(rows.getBytes(3), blob), "the same bytes");
        }
      }
      expect(number(connection, "select count(*) from pg_prepared_statements") > 0, "a named statement");
    }
  }

  /** Several at once, past the 5 executions after which a statement has a name on the server. */
  static void shared(Properties target) throws Exception {
    List<Connection> sessions = new ArrayList<>();
    List<PreparedStatement> statements = new ArrayList<>();
    for (int number = 0; number < 4; number++) {
      Connection connection = connect(target);
      execute(connection, "set statement_timeout = '" + (100 + number) + "s'");
      sessions.add(connection);
      statements.add(connection.prepareStatement("select ?::int, 'session " + number + "'"));
    }
    for (int turn = 0; turn < 15; turn++) {
      for (int number = 0; number < 4; number++) {
        sessions.get(number).setAutoCommit(turn % 3 != 0);
        statements.get(number).setInt(1, turn);
        try (ResultSet rows = statements.get(number).executeQuery()) {
          expect(rows.next(), "a row");
          expectEqual(rows.getInt(1), turn);
          expectEqual(rows.getString(2), "session " + number);
        }
        if (turn % 3 == 0) sessions.get(number).commit();
      }
    }
    for (int number = 0; number < 4; number++) {
      String wanted = String.valueOf(100 + number);
      expectEqual(number(sessions.get(number), "select rtrim(current_setting('statement_timeout'), 's')::int"),
          Integer.valueOf(wanted));
      sessions.get(number).close();
    }
  }

  /** A batch is a pipeline: Bind and Execute many times, a Sync now and then. */
  static void pipeline(Properties target) throws Exception {
    try (Connection connection = connect(target)) {
      execute(connection, "create temp table jdbc_many (id int, line text)");
      try (PreparedStatement statement = connection.prepareStatement("insert into jdbc_many values (?, ?)")) {
        for (int i = 0; i < 5000; i++) {
          statement.setInt(1, i);
          statement.setString(2, "line " + i);
          statement.addBatch();
        }
        expectEqual(statement.executeBatch().length, 5000);
      }
      expectEqual(number(connection, "select count(*) from jdbc_many where line = 'line ' || id"), 5000);
      try (PreparedStatement statement = connection.prepareStatement("insert into jdbc_many values (1 / ?, '')")) {
        for (int i = 2; i >= -2; i--) {
          statement.setInt(1, i);
          statement.addBatch();
        }
        statement.executeBatch();
        throw new AssertionError("no error in the pipeline");
      } catch (BatchUpdateException failure) {
        expectEqual(failure.getSQLState(), "22012");
      }
      expectEqual(number(connection, "select 3"), 3);
    }
  }

  static void copy(Properties target) throws Exception {
    ByteArrayOutputStream lines = new ByteArrayOutputStream();
    for (int i = 0; i < 40_000; i++) {
      lines.write((i + "\t" + Long.toHexString(random.nextLong()) + "-".repeat(80) + "\n")
                  .getBytes(StandardCharsets.UTF_8));
    }
    try (Connection connection = connect(target)) {
      execute(connection, "create temp table jdbc_copy (id int, line text)");
      var copies = connection.unwrap(PGConnection.class).getCopyAPI();
      expectEqual(copies.copyIn("copy jdbc_copy from stdin", new ByteArrayInputStream(lines.toByteArray())), 40_000L);
      ByteArrayOutputStream back = new ByteArrayOutputStream();
      copies.copyOut("copy (select * from jdbc_copy order by id) to stdout", back);
      expectEqual(digest(back.toByteArray()), digest(lines.toByteArray()));
      expectFailure("22P02", () -> copies.copyIn("copy jdbc_copy from stdin",
          new ByteArrayInputStream("no number\n".getBytes(StandardCharsets.UTF_8))));
      expectEqual(number(connection, "select 1"), 1);
    }
  }

  static void notify(Properties target) throws Exception {
    try (Connection listener = connect(target); Connection speaker = connect(target)) {
      execute(listener, "listen jdbc");
      List<String> wanted = new ArrayList<>();
      for (int i = 0; i < 50; i++) {
        wanted.add("payload " + i + "y".repeat(i * 10));
        execute(speaker, "notify jdbc, '" + wanted.get(i) + "'");
      }
      List<String> heard = new ArrayList<>();
      while (heard.size() < wanted.size()) {
        PGNotification[] notes = listener.unwrap(PGConnection.class).getNotifications(10_000);
        expect(notes != null && notes.length > 0, "a notification");
        for (PGNotification note : notes) heard.add(note.getParameter());
      }
      expectEqual(heard, wanted);
    }
  }

  /** The driver sends its CancelRequest without TLS. */
  static void cancel(Properties target) throws Exception {
    Timer timer = new Timer(true);
    try (Connection connection = connect(target); Statement statement = connection.createStatement()) {
      for (int i = 0; i < 2; i++) {
        timer.schedule(new TimerTask() {
          @Override public void run() {
            try {
              statement.cancel();
            } catch (SQLException failure) {
              failure.printStackTrace();
            }
          }
        }, 250);
        long started = System.nanoTime();
        expectFailure("57014", () -> statement.execute("select pg_sleep(30)"));
        expect(System.nanoTime() - started < 15_000_000_000L, "the cancel was late");
      }
      expectEqual(number(connection, "select 1"), 1);
    } finally {
      timer.cancel();
    }
  }

  static void failures(Properties target) throws Exception {
    try (Connection connection = connect(target)) {
      expectFailure("42601", () -> execute(connection, "selec 1"));
      expectFailure("22012", () -> execute(connection, "select 1/0"));
      expectFailure("22012", () -> execute(connection, "select 100 / (2000 - g) from generate_series(1, 3000) g"));
      PSQLException told = (PSQLException) expectFailure("TL001", () -> execute(connection,
          "do $$ begin raise exception 'first' using errcode = 'TL001', detail = 'second', hint = 'third'; end $$"));
      expectEqual(told.getServerErrorMessage().getDetail() + told.getServerErrorMessage().getHint(), "secondthird");
      int pid = number(connection, "select pg_backend_pid()");
      try (Connection other = connect(target)) {
        number(other, "select pg_terminate_backend(" + pid + ")::int");
      }
      expectFailure("57P01", () -> execute(connection, "select 1"));
    }
  }

  static void notices(Properties target) throws Exception {
    try (Connection connection = connect(target); Statement statement = connection.createStatement()) {
      statement.execute("do $$ begin for i in 1..300 loop raise notice 'number %', i; end loop; end $$");
      int count = 0;
      for (SQLWarning warning = statement.getWarnings(); warning != null; warning = warning.getNextWarning()) {
        expectEqual(warning.getMessage(), "number " + ++count);
      }
      expectEqual(count, 300);
    }
  }

  static void large(Properties target) throws Exception {
    byte[] blob = randomBytes(16 << 20);
    try (Connection connection = connect(target);
         PreparedStatement statement = connection.prepareStatement("select encode(sha256(?), 'hex'), ?::bytea")) {
      statement.setBytes(1, blob);
      statement.setBytes(2, blob);
      try (ResultSet rows = statement.executeQuery()) {
        rows.next();
        expectEqual(rows.getString(1), digest(blob));
        expectEqual(digest(rows.getBytes(2)), digest(blob));
      }
      connection.setAutoCommit(false);
      try (Statement portal = connection.createStatement()) {
        portal.setFetchSize(700);
        int count = 0;
        try (ResultSet rows = portal.executeQuery("select g from generate_series(1, 60000) g")) {
          while (rows.next()) expectEqual(rows.getInt(1), ++count);
        }
        expectEqual(count, 60000);
      }
    }
  }

  /** Large objects; this driver uses FunctionCall for each call. */
  static void objects(Properties target) throws Exception {
    try (Connection connection = connect(target)) {
      connection.setAutoCommit(false);
      LargeObjectManager manager = connection.unwrap(PGConnection.class).getLargeObjectAPI();
      byte[] data = randomBytes(1_000_000);
      long oid = manager.createLO(LargeObjectManager.READ | LargeObjectManager.WRITE);
      try (LargeObject object = manager.open(oid, LargeObjectManager.READWRITE)) {
        object.write(data);
        object.seek(0);
        expectEqual(object.size(), data.length);
        expectEqual(digest(object.read(data.length)), digest(data));
      }
      manager.delete(oid);
      connection.commit();
    }
  }

  public static void main(String[] arguments) throws Exception {
    Map<String, Scenario> scenarios = new LinkedHashMap<>();
    scenarios.put("session", Suite::session);
    scenarios.put("wrong_password", Suite::wrongPassword);
    scenarios.put("transactions", Suite::transactions);
    scenarios.put("prepared", Suite::prepared);
    scenarios.put("shared", Suite::shared);
    scenarios.put("pipeline", Suite::pipeline);
    scenarios.put("copy", Suite::copy);
    scenarios.put("notify", Suite::notify);
    scenarios.put("cancel", Suite::cancel);
    scenarios.put("failures", Suite::failures);
    scenarios.put("notices", Suite::notices);
    scenarios.put("large", Suite::large);
    scenarios.put("objects", Suite::objects);
    ExecutorService runner = Executors.newCachedThreadPool(work -> {
      Thread thread = new Thread(work);
      thread.setDaemon(true);
      return thread;
    });
    for (Properties target : targets(Path.of(arguments[0]))) {
      for (Map.Entry<String, Scenario> each : scenarios.entrySet()) {
        String what = target.getProperty("name") + " " + each.getKey();
        try {
          runner.submit(() -> {
            each.getValue().run(target);
            return null;
          }).get(SCENARIO_SECONDS, TimeUnit.SECONDS);
          System.out.println("ok " + what);
        } catch (Exception failure) {
          Throwable cause = failure instanceof ExecutionException ? failure.getCause() : failure;
          cause.printStackTrace();
          System.out.println("not ok " + what + ": " + cause.toString().replace("\n", " | "));
        }
      }
    }
    System.exit(0);
  }

  /** Targets as blocks of key=value, divided by empty lines: Java has no JSON of its own. */
  static List<Properties> targets(Path file) throws Exception {
    List<Properties> all = new ArrayList<>();
    for (String block : Files.readString(file).split("\n\n")) {
      if (block.isBlank()) continue;
      Properties target = new Properties();
      for (String line : block.strip().split("\n")) {
        int at = line.indexOf('=');
        target.setProperty(line.substring(0, at), line.substring(at + 1));
      }
      all.add(target);
    }
    return all;
  }
}
