# frozen_string_literal: true

# ruby-pg (on libpq, always asynchronously). Called as `suite.rb FILE`; clients/report.py says what is printed.
require 'digest'
require 'json'
require 'pg'
require 'timeout'

$stdout.sync = true

def connect(target, **more)
  words = { host: target['host'], port: target['port'], user: target['user'], password: target['password'],
            dbname: target['database'], connect_timeout: 10, options: "-c search_path=#{target['schema']}" }
  words.merge!(target['tls'] ? { sslmode: 'verify-full', sslrootcert: target['ca'] } : { sslmode: 'disable' })
  words[:channel_binding] = 'require' if target['binding']
  connection = PG.connect(**words.merge(more))
  return connection unless block_given?

  begin
    yield connection
  ensure
    connection.close
  end
end

def expect(condition, what = 'not as expected')
  raise what unless condition
end

def expect_equal(seen, wanted)
  raise "saw #{seen.inspect[0, 200]}, wanted #{wanted.inspect[0, 200]}" unless seen == wanted
end

def expect_state(state)
  yield
rescue PG::Error => e
  expect_equal(e.result&.error_field(PG::PG_DIAG_SQLSTATE), state)
else
  raise "no failure with SQLSTATE #{state}"
end

SCENARIOS = {
  session: lambda { |target|
    connect(target) do |c|
      expect_equal(c.exec('select 6 * 7').getvalue(0, 0), '42')
      expect_equal(c.exec_params('select $1::text', ['späß ☃']).getvalue(0, 0), 'späß ☃')
      expect_equal(c.server_version / 10_000, target['version'])
    end
  },
  wrong_password: lambda { |target|
    { { password: 'wrong' } => /password authentication failed/, { dbname: 'no_such' } => /does not exist/ }.each do |w, text|
      begin
        connect(target, **w)
      rescue PG::ConnectionBad => e
        expect(e.message =~ text, e.message)
      else
        raise 'no failure'
      end
    end
  },
  transactions: lambda { |target|
    connect(target) do |c|
      c.exec('create temp table accounts (id int primary key, amount int)')
      c.transaction { c.exec_params('insert into accounts values ($1, $2)', [1, 10]) }
      expect_state('23505') { c.transaction { c.exec('insert into accounts values (1, 1)') } }
      begin
        c.transaction { c.exec('delete from accounts') && raise('roll back') }
      rescue RuntimeError
        nil
      end
      expect_equal(c.exec('select sum(amount) from accounts').getvalue(0, 0), '10')
    end
  },
  prepared: lambda { |target|
    connect(target) do |c|
      c.prepare('mine', 'select $1::int + 1, $2::text')
      200.times { |i| expect_equal(c.exec_prepared('mine', [i, "t#{i}"]).values, [[(i + 1).to_s, "t#{i}"]]) }
    end
  },
  shared: lambda { |target|
    sessions = Array.new(4) { connect(target) }
    sessions.each_with_index do |c, number|
      c.exec("set statement_timeout = '#{100 + number}s'")
      c.prepare('mine', "select $1::int, 'session #{number}'")
    end
    15.times do |turn|
      sessions.each_with_index do |c, number|
        expect_equal(c.exec_prepared('mine', [turn]).values, [[turn.to_s, "session #{number}"]])
        c.transaction { expect_equal(c.exec_params('select $1::int', [turn]).getvalue(0, 0), turn.to_s) }
      end
    end
    sessions.each_with_index do |c, number|
      expect_equal(c.exec('show statement_timeout').getvalue(0, 0), "#{100 + number}s")
      c.close
    end
  },
  copy: lambda { |target|
    connect(target) do |c|
      lines = Array.new(20_000) { |i| "#{i}\t#{'-' * (i % 200)}\n" }
      c.exec('create temp table copied (id int, line text)')
      c.copy_data('copy copied from stdin') { lines.each { |line| c.put_copy_data(line) } }
      seen = []
      c.copy_data('copy (select * from copied order by id) to stdout') do
        while (line = c.get_copy_data)
          seen << line
        end
      end
      expect_equal(Digest::SHA256.hexdigest(seen.join), Digest::SHA256.hexdigest(lines.join))
    end
  },
  notify: lambda { |target|
    connect(target) do |listener|
      connect(target) do |speaker|
        listener.exec('listen ruby')
        speaker.exec("notify ruby, 'hello'")
        heard = nil
        listener.wait_for_notify(10) { |_channel, _pid, payload| heard = payload }
        expect_equal(heard, 'hello')
      end
    end
  },
  cancel: lambda { |target|
    connect(target) do |c|
      started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
      c.send_query('select pg_sleep(30)')
      sleep 0.25
      expect_equal(c.cancel, nil)
      expect_state('57014') { c.get_last_result }
      expect(Process.clock_gettime(Process::CLOCK_MONOTONIC) - started < 15, 'the cancel was late')
      expect_equal(c.exec('select 1').getvalue(0, 0), '1')
    end
  },
  failures: lambda { |target|
    connect(target) do |c|
      expect_state('42601') { c.exec('selec 1') }
      expect_state('22012') { c.exec('select 100 / (2000 - g) from generate_series(1, 3000) g') }
      pid = c.exec('select pg_backend_pid()').getvalue(0, 0)
      connect(target) { |other| other.exec("select pg_terminate_backend(#{pid})") }
      begin
        c.exec('select 1')
      rescue PG::Error => e
        expect(e.message =~ /terminating connection due to administrator command/, e.message)
      else
        raise 'terminated, and yet it answers'
      end
    end
  }
}.freeze

JSON.parse(File.read(ARGV[0])).each do |target|
  SCENARIOS.each do |name, work|
    Timeout.timeout(60) { work.call(target) }
    puts "ok #{target['name']} #{name}"
  rescue StandardError => e
    warn e.full_message
    puts "not ok #{target['name']} #{name}: #{e.message.gsub(/\n+/, ' | ')}"
  end
end
