import Ports

/// Where the cases run: real servers, or simulated ones. Everything a case touches is made here, fresh for each case.
protocol ContractWorld: Sendable {
    /// `real` or `simulated`.
    var name: String { get }
    /// Time as the case's own process sees it: real, or virtual. The only way to wait.
    var clock: any ServiceClock { get }
    /// A new, empty database on a server of its own or shared with no other running case.
    func makeDatabase(_ options: DatabaseOptions) async throws -> any DatabaseServer
    /// Three brokers, all of them up and in sync.
    func makeEventLogCluster() async throws -> any EventLogCluster
    /// A connector that publishes a database's changes to a Kafka of its own or shared with no other running case. Not
    /// started.
    func makeConnector(_ options: ConnectorOptions, on server: any DatabaseServer) async throws -> any ConnectorServer
}

/// A world is made for some kinds of server; cases of other kinds are not run in it.
extension ContractWorld {
    func makeDatabase(_ options: DatabaseOptions) async throws -> any DatabaseServer {
        throw ContractFailure("the \(name) world has no database here")
    }
    func makeEventLogCluster() async throws -> any EventLogCluster {
        throw ContractFailure("the \(name) world has no event log here")
    }
    func makeConnector(_ options: ConnectorOptions, on server: any DatabaseServer) async throws -> any ConnectorServer {
        throw ContractFailure("the \(name) world has no connector here")
    }
}

/// How a case's database is to be set.
struct DatabaseOptions: Sendable {
    /// `synchronous_commit`
    var isSynchronousCommit = true
    /// `lock_timeout`; zero for none.
    var lockTimeout: Nanoseconds = .zero
    /// `statement_timeout`
    var statementTimeout: Nanoseconds = .seconds(20)
    /// The most connections that the pool opens.
    var connectionLimit = 8
    /// How long a caller waits for one.
    var queueTimeout: Nanoseconds = .seconds(5)
    /// How long a silent server is waited for.
    var responseTimeout: Nanoseconds = .seconds(30)
}

/// One database, and what can be done to the server that holds it.
protocol DatabaseServer: Sendable {
    var database: any Database { get }
    var administration: any DatabaseAdministration { get }
    var changeStreams: any ChangeStreams { get }

    /// A second, independent client of the same database with other options, as another process would be.
    func client(_ options: DatabaseOptions) -> any Database
    /// Makes the server write a checkpoint.
    func checkpoint() async throws
    /// Sets `max_slot_wal_keep_size`, and writes and drops enough log for it to matter.
    func exceedSlotLimit() async throws
    /// Ends every session of the database, as an administrator may (`pg_terminate_backend`): the newest first, and each
    /// before the next.
    func terminateSessions() async throws
    /// Kills the server at once: what is not on its disk is gone.
    func crash() async throws
    /// Ends the server in good order: sessions are ended, everything is written, and it is down when this returns.
    func shutDown() async throws
    /// Starts it again and waits until it has recovered.
    func start() async throws
    /// Stops it without its connections noticing.
    func pause() async throws
    func resume() async throws
    /// Ends the case: drops the database.
    func discard() async
}

/// Three brokers, numbered from 1, and what can be done to them. Their settings are those of the real stack: Kafka's
/// defaults, but for `group.initial.rebalance.delay.ms` 0, `group.min.session.timeout.ms` 1 s and
/// `log.retention.check.interval.ms` 1 s.
protocol EventLogCluster: Sendable {
    /// Client after client of it is a process of its own as far as the brokers can tell.
    var eventLog: any EventLog { get }
    var brokers: [Int] { get }

    /// A name for a topic, a group or a transactional id that no other case has used.
    func uniqueName(_ kind: String) -> String
    func replicas(of partition: TopicPartition) async throws -> ReplicaState
    /// Kills the broker at once; what its operating system has of it stays.
    func crash(_ broker: Int) async throws
    /// Starts it again; does not wait until it has caught up.
    func start(_ broker: Int) async throws
    /// Stops it without its connections noticing.
    func pause(_ broker: Int) async throws
    func resume(_ broker: Int) async throws
}

/// Leadership of a partition as the cluster's metadata tells.
struct ReplicaState: Equatable, Sendable {
    /// `nil` while nobody leads it.
    var leader: Int?
    /// In order of number.
    var inSync: [Int]
}
