#!/usr/bin/perl
# DBD::Pg (on libpq). Called as `suite.pl FILE`; clients/report.py says what is printed.
use strict;
use warnings;
use utf8;
use DBI;
use DBD::Pg qw(:pg_types);
use Digest::SHA qw(sha256_hex);
use JSON::PP;
use Time::HiRes qw(time);

$| = 1;
binmode STDOUT, ':encoding(UTF-8)';

sub connect_to {
    my ($target, %more) = @_;
    my $tls = $target->{tls} ? "sslmode=verify-full;sslrootcert=$target->{ca}" : 'sslmode=disable';
    my $database = $more{database} // $target->{database};
    my $name = "dbi:Pg:dbname=$database;host=$target->{host};port=$target->{port};$tls;connect_timeout=10;"
        . "options='-c search_path=$target->{schema}'";
    return DBI->connect($name, $target->{user}, $more{password} // $target->{password},
        { RaiseError => 1, PrintError => 0, AutoCommit => 1, pg_enable_utf8 => 1 });
}

sub expect { my ($condition, $what) = @_; die "$what\n" unless $condition }
sub expect_equal { my ($seen, $wanted) = @_; die "saw $seen, wanted $wanted\n" unless $seen eq $wanted }

sub expect_state {
    my ($state, $work) = @_;
    eval { $work->(); 1 } and die "no failure with SQLSTATE $state\n";
    expect_equal($DBI::state, $state);
}

my @scenarios = (
    session => sub {
        my $dbh = connect_to($_[0]);
        expect_equal($dbh->selectrow_array('select 6 * 7'), 42);
        expect_equal($dbh->selectrow_array(q{select 'späß ☃'::text}), 'späß ☃');
        expect_equal(int($dbh->{pg_server_version} / 10000), $_[0]{version});
    },
    wrong_password => sub {
        my ($target) = @_;
        eval { connect_to($target, password => 'wrong'); 1 } and die "no failure\n";
        expect($@ =~ /password authentication failed/, $@);
        eval { connect_to($target, database => 'no_such_database'); 1 } and die "no failure\n";
        expect($@ =~ /does not exist/, $@);
    },
    transactions => sub {
        my $dbh = connect_to($_[0]);
        $dbh->do('create temp table accounts (id int primary key, amount int)');
        $dbh->begin_work;
        $dbh->do('insert into accounts values (?, ?)', undef, 1, 10);
        $dbh->pg_savepoint('s');
        expect_state('23505', sub { $dbh->do('insert into accounts values (1, 1)') });
        $dbh->pg_rollback_to('s');
        $dbh->commit;
        $dbh->begin_work;
        $dbh->do('delete from accounts');
        $dbh->rollback;
        expect_equal($dbh->selectrow_array('select sum(amount) from accounts'), 10);
    },
    prepared => sub {
        my $dbh = connect_to($_[0]);
        my $statement = $dbh->prepare('select ?::int + 1, ?::text');
        for my $i (0 .. 199) {
            $statement->execute($i, "t$i");
            my @row = $statement->fetchrow_array;
            expect_equal("@row", ($i + 1) . " t$i");
        }
    },
    shared => sub {  # several at once: DBD::Pg names its statements alike in each
        my @sessions = map { connect_to($_[0]) } 1 .. 4;
        my @statements;
        for my $number (0 .. 3) {
            $sessions[$number]->do("set statement_timeout = '" . (100 + $number) . "s'");
            push @statements, $sessions[$number]->prepare("select ?::int, 'session $number'");
        }
        for my $turn (0 .. 14) {
            for my $number (0 .. 3) {
                $sessions[$number]->begin_work if $turn % 3 == 0;
                $statements[$number]->execute($turn);
                my @row = $statements[$number]->fetchrow_array;
                expect_equal("@row", "$turn session $number");
                $statements[$number]->finish;
                $sessions[$number]->commit if $turn % 3 == 0;
            }
        }
        for my $number (0 .. 3) {
            expect_equal($sessions[$number]->selectrow_array('show statement_timeout'), (100 + $number) . 's');
        }
    },
    copy => sub {
        my $dbh = connect_to($_[0]);
        $dbh->do('create temp table copied (id int, line text)');
        $dbh->do('copy copied from stdin');
        my $wanted = Digest::SHA->new(256);
        for my $i (0 .. 19_999) {
            my $line = "$i\t" . ('-' x ($i % 200)) . "\n";
            $wanted->add($line);
            $dbh->pg_putcopydata($line);
        }
        $dbh->pg_putcopyend;
        $dbh->do('copy (select * from copied order by id) to stdout');
        my ($seen, $line) = (Digest::SHA->new(256), '');
        $seen->add($line) while $dbh->pg_getcopydata($line) >= 0;
        expect_equal($seen->hexdigest, $wanted->hexdigest);
    },
    notify => sub {
        my ($listener, $speaker) = (connect_to($_[0]), connect_to($_[0]));
        $listener->do('listen perl');
        $speaker->do(q{notify perl, 'hello'});
        my $until = time + 10;
        my $note;
        until ($note = $listener->pg_notifies) { expect(time < $until, 'no notification'); select undef, undef, undef, 0.02 }
        expect_equal($note->[2], 'hello');
    },
    cancel => sub {
        my $dbh = connect_to($_[0]);
        my $started = time;
        $dbh->do('select pg_sleep(30)', { pg_async => PG_ASYNC() });
        select undef, undef, undef, 0.25;
        $dbh->pg_cancel;
        expect(time - $started < 15, 'the cancel was late');
        expect_equal($dbh->selectrow_array('select 1'), 1);
    },
    failures => sub {
        my $dbh = connect_to($_[0]);
        expect_state('42601', sub { $dbh->do('selec 1') });
        expect_state('22012', sub { $dbh->selectrow_array('select 1 / ?::int', undef, 0) });
        my ($pid) = $dbh->selectrow_array('select pg_backend_pid()');
        connect_to($_[0])->do("select pg_terminate_backend($pid)");
        eval { $dbh->do('select 1'); 1 } and die "terminated, and yet it answers\n";
        expect($@ =~ /terminating connection due to administrator command/, $@);
    },
    objects => sub {
        my $dbh = connect_to($_[0]);
        my $data = join '', map { chr(rand 256) } 1 .. 300_000;
        $dbh->begin_work;
        my $oid = $dbh->pg_lo_creat($dbh->{pg_INV_WRITE});
        my $object = $dbh->pg_lo_open($oid, $dbh->{pg_INV_WRITE} | $dbh->{pg_INV_READ});
        expect_equal($dbh->pg_lo_write($object, $data, length $data), length $data);
        $dbh->pg_lo_lseek($object, 0, 0);
        my ($back, $part) = ('', '');
        $back .= $part while $dbh->pg_lo_read($object, $part, 50_000);
        expect_equal(sha256_hex($back), sha256_hex($data));
        $dbh->pg_lo_unlink($oid);
        $dbh->commit;
    },
);

open my $file, '<:raw', $ARGV[0] or die $!;
for my $target (@{ decode_json(do { local $/; <$file> }) }) {
    for (my $i = 0; $i < @scenarios; $i += 2) {
        my ($name, $work) = @scenarios[$i, $i + 1];
        if (eval { local $SIG{ALRM} = sub { die "took too long\n" }; alarm 60; $work->($target); alarm 0; 1 }) {
            print "ok $target->{name} $name\n";
        } else {
            my $why = "$@";
            alarm 0;
            $why =~ s/\n+/ | /g;
            print "not ok $target->{name} $name: $why\n";
        }
    }
}
