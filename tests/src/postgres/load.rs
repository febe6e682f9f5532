//! Clients that write all the time.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::cluster::Cluster;
use super::session::{Role, Session};

/// Clients, each with a connection of its own, that book pieces of a stock as fast as they can.
///
/// Every booking takes a piece from the table `stock` and adds a row to the table `bookings`, in one transaction. In
/// whatever a database shows at one moment, the two add up, and no connection's bookings have a gap.
pub struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<Client>>,
}

/// What clients went through.
#[derive(Debug)]
pub struct Report {
    /// How many bookings were made.
    pub bookings: usize,
    /// How often each client lost its connection and got another one.
    pub reconnects: Vec<usize>,
    /// What each client was told when it was not let in, or got nothing done.
    pub refused: Vec<Vec<String>>,
}

#[derive(Default)]
struct Shared {
    bookings: AtomicUsize,
    is_over: AtomicBool,
}

impl Load {
    /// Makes the tables in a database that `owner` owns.
    pub fn prepare(cluster: &Cluster, database: &str, owner: &Role) {
        cluster.psql_as(owner, database, PREPARE);
    }

    /// Starts so many clients, which log in as `role` over TCP.
    pub fn start(cluster: &Cluster, database: &str, role: &Role, clients: usize) -> Load {
        let shared = Arc::new(Shared::default());
        let start = |number| {
            let mut client = Client {
                number,
                session: cluster.session(database, Some(role)),
                shared: Arc::clone(&shared),
                connections: 0,
                refused: Vec::new(),
            };
            thread::spawn(move || {
                client.run();
                client
            })
        };
        Load { clients: (1..=clients).map(start).collect(), shared }
    }

    /// How many bookings were made so far.
    pub fn bookings(&self) -> usize {
        self.shared.bookings.load(Ordering::SeqCst)
    }

    /// Waits until so many bookings more were made.
    pub fn wait_for(&self, more: usize) {
        let until = self.bookings() + more;
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.bookings() < until {
            assert!(Instant::now() < deadline, "only {} of {until} bookings were made", self.bookings());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Lets the clients finish what they are at, and asks what they went through.
    pub fn stop(self) -> Report {
        self.shared.is_over.store(true, Ordering::SeqCst);
        let clients: Vec<Client> =
            self.clients.into_iter().map(|client| client.join().expect("no client panics")).collect();
        Report {
            bookings: self.shared.bookings.load(Ordering::SeqCst),
            reconnects: clients.iter().map(|client| client.connections.saturating_sub(1)).collect(),
            refused: clients.into_iter().map(|client| client.refused).collect(),
        }
    }

    /// Whether what a database shows is what clients may have left at one moment; the error says what is not.
    pub fn check(cluster: &Cluster, database: &str) -> Result<(), String> {
        let problems = cluster.psql(database, CHECK);
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

struct Client {
    number: usize,
    session: Session,
    shared: Arc<Shared>,
    /// Connections by which something was booked.
    connections: usize,
    refused: Vec<String>,
}

impl Client {
    fn run(&mut self) {
        while !self.is_over() {
            match self.book_until_lost() {
                (0, _) if self.is_over() => {}
                (0, told) => self.refused.push(told),
                _ => self.connections += 1,
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn is_over(&self) -> bool {
        self.shared.is_over.load(Ordering::SeqCst)
    }

    /// Books over one connection. Returns how often, and what the client was told in the end.
    fn book_until_lost(&self) -> (usize, String) {
        let mut connection = Connection::open(&self.session);
        let mut bookings = 0;
        let session = self.number * 1000 + self.connections;
        while !self.is_over() && connection.book(session, bookings + 1) {
            bookings += 1;
            self.shared.bookings.fetch_add(1, Ordering::SeqCst);
        }
        (bookings, connection.told())
    }
}

/// A psql that is told one statement after the other.
struct Connection {
    psql: Child,
    statements: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    complaints: ChildStderr,
}

impl Connection {
    fn open(session: &Session) -> Connection {
        let mut psql = session.command("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"]);
        psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut psql = psql.spawn().expect("psql starts");
        let statements = psql.stdin.take();
        let answers = BufReader::new(psql.stdout.take().expect("piped"));
        let complaints = psql.stderr.take().expect("piped");
        Connection { psql, statements, answers, complaints }
    }

    /// Ends it. Returns what it wrote to standard error.
    fn told(&mut self) -> String {
        drop(self.statements.take());
        let mut text = Vec::new();
        let _ = self.complaints.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// False if the connection is gone.
    fn book(&mut self, session: usize, number: usize) -> bool {
        let piece = (session * 31 + number * 7) % 50;
        let statement = format!(
            "with taken as (update stock set items = items - 1 where id = {piece} returning id) \
             insert into bookings select {session}, {number}, id from taken returning 'booked';\n"
        );
        let mut answer = String::new();
        let Some(statements) = &mut self.statements else { return false };
        statements.write_all(statement.as_bytes()).is_ok()
            && self.answers.read_line(&mut answer).is_ok()
            && answer == "booked\n"
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        drop(self.statements.take());
        let _ = self.psql.wait();
    }
}

const PREPARE: &str = "
create table stock (id int primary key, items bigint not null);
create table bookings (session int, number int, stock int references stock, primary key (session, number));
insert into stock select n, 1000000 from generate_series(0, 49) n;
";

const CHECK: &str = "
select format('%s pieces in stock and %s booked', items, booked)
from (select sum(items) as items from stock) s, (select count(*) as booked from bookings) b
where items + booked <> 50 * 1000000;
select format('of %s bookings of connection %s there are %s', max(number), session, count(*))
from bookings group by session having count(*) <> max(number);
";
