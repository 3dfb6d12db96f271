import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;

/** The console through JDBC: {@code Console URL USER PASSWORD} prints what it read, a line each. */
public final class Console {
  public static void main(String[] words) throws Exception {
    Properties login = new Properties();
    login.setProperty("user", words[1]);
    login.setProperty("password", words[2]);
    try (Connection connection = DriverManager.getConnection(words[0], login)) {
      try (Statement statement = connection.createStatement();
          ResultSet rows = statement.executeQuery("SHOW VERSION")) {
        rows.next();
        System.out.println("version " + rows.getString("version"));
      }
      // Named statements from the fifth time on, and binary results.
      for (int i = 0; i < 8; ++i) {
        try (PreparedStatement statement = connection.prepareStatement("SHOW LISTS");
            ResultSet rows = statement.executeQuery()) {
          while (rows.next()) {
            if (i == 7) System.out.println(rows.getString("list") + " " + rows.getInt("items"));
          }
        }
      }
      connection.setAutoCommit(false);
      try (Statement statement = connection.createStatement();
          ResultSet rows = statement.executeQuery("SHOW STATS")) {
        while (rows.next()) System.out.println("queries " + rows.getBigDecimal("total_query_count"));
      }
      try (Statement statement = connection.createStatement()) {
        statement.execute("SUSPEND");
      } catch (SQLException refused) {
        System.out.println("refused " + refused.getSQLState());
      }
      connection.rollback();
      System.out.println("valid " + connection.isValid(5));
    }
  }
}
