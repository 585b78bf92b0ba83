import Ports
import Testing

@testable import SimCore

/// A server driven by hand: tests open sessions, send requests and say when time passes and disks sync.
final class ScriptedServer {
    var server: PostgresServer
    var now = Instant.epoch
    /// Whether each WAL sync completes at once; otherwise `finishSync()` completes it.
    var syncsAtOnce = true
    /// Whether the storage is walked after each event.
    var checksInvariants = false
    private(set) var pendingSync: LSN?
    private(set) var shipped: [LSN] = []
    private(set) var panicReason: String?
    private(set) var hasStopped = false
    private(set) var closed: [PostgresConnectionID: DatabaseError] = [:]
    private(set) var delivered: [PostgresConnectionID: [CommittedTransaction]] = [:]
    private(set) var syncCount = 0
    private(set) var lostStandbyCount = 0
    private var timers: [(at: Instant, id: PostgresTimerID)] = []
    private var replies: [PostgresConnectionID: [(PostgresRequestID, PostgresReply)]] = [:]
    private var connectionCount: UInt64 = 0

    init(_ tables: [Table], settings: PostgresSettings = PostgresSettings()) {
        server = PostgresServer(settings: settings)
        let administrator = ScriptedSession(self)
        administrator.send(.migrate(Schema(name: "test", version: 1, tables: tables)))
        administrator.close()
    }

    func session() -> ScriptedSession { ScriptedSession(self) }

    func nextConnection() -> PostgresConnectionID {
        connectionCount += 1
        return PostgresConnectionID(connectionCount)
    }

    func handle(_ event: PostgresEvent) {
        var effects: [PostgresEffect] = []
        server.handle(event, now: now, effects: &effects)
        if checksInvariants { server.checkInvariants() }
        for effect in effects { carryOut(effect) }
        while syncsAtOnce, pendingSync != nil { finishSync() }
    }

    private func carryOut(_ effect: PostgresEffect) {
        switch effect {
        case .reply(let connection, let request, let reply): replies[connection, default: []].append((request, reply))
        case .setTimer(let id, let time): timers.append((time, id))
        case .syncWAL(let position):
            pendingSync = position
            syncCount += 1
        case .shipWAL(let position): shipped.append(position)
        case .deliver(let connection, let transactions): delivered[connection, default: []] += transactions
        case .close(let connection, let error): closed[connection] = error
        case .standbyLost: lostStandbyCount += 1
        case .panic(let reason): panicReason = reason
        case .stopped: hasStopped = true
        }
    }

    func finishSync() {
        guard let position = pendingSync else {
            Issue.record("no sync is under way")
            return
        }
        pendingSync = nil
        handle(.walSynced(upTo: position))
    }

    func failSync() {
        pendingSync = nil
        handle(.walSyncFailed)
    }

    /// Lets time pass; timers fire when they are due.
    func advance(by span: Nanoseconds) {
        let end = now + span
        while let next = timers.indices.min(by: { timers[$0].at < timers[$1].at }), timers[next].at <= end {
            let timer = timers.remove(at: next)
            now = max(now, timer.at)
            handle(.timerFired(timer.id))
        }
        now = end
    }

    func takeReply(_ connection: PostgresConnectionID, _ request: PostgresRequestID) -> PostgresReply? {
        guard let index = replies[connection]?.firstIndex(where: { $0.0 == request }) else { return nil }
        return replies[connection]?.remove(at: index).1
    }

    func takeDelivered(_ connection: PostgresConnectionID) -> [CommittedTransaction] {
        defer { delivered[connection] = [] }
        return delivered[connection] ?? []
    }

    /// Crashes the server and restarts it with the WAL that survived: what was synced, unless told otherwise.
    func crash(surviving position: LSN? = nil) {
        pendingSync = nil
        replies = [:]
        delivered = [:]
        server.crash(survivingWAL: position ?? server.flushedLSN)
        server.finishRecovery()
    }

    /// Promotes the standby with the WAL up to that position, in the place of the primary.
    func failOver(to position: LSN) {
        pendingSync = nil
        replies = [:]
        delivered = [:]
        server.failOver(to: position)
        server.finishRecovery()
    }
}

/// A client's connection, as a script uses it.
final class ScriptedSession {
    let host: ScriptedServer
    let connection: PostgresConnectionID
    private var requestCount: UInt64 = 0
    private var pendingBegin: IsolationLevel?
    private var pendingRequest: PostgresRequestID?

    init(_ host: ScriptedServer) {
        self.host = host
        connection = host.nextConnection()
        host.handle(.connectionOpened(connection))
    }

    /// What the server answered to the attempt to connect.
    var openingError: DatabaseError? {
        if case .failure(let error) = host.takeReply(connection, PostgresRequestID(0)) { error } else { nil }
    }

    func begin(_ isolation: IsolationLevel = .readCommitted) { pendingBegin = isolation }

    /// Sends the statements; `nil` while the session waits.
    @discardableResult func run(_ statements: Statement...) -> PostgresReply? {
        send(.execute(statements, begin: takeBegin()))
    }

    @discardableResult func commit(_ statements: Statement...) -> PostgresReply? {
        send(.executeAndCommit(statements, begin: takeBegin()))
    }

    @discardableResult func rollback() -> PostgresReply? {
        pendingBegin = nil
        return send(.rollback)
    }

    private func takeBegin() -> IsolationLevel? {
        defer { pendingBegin = nil }
        return pendingBegin
    }

    @discardableResult func send(_ request: PostgresRequest) -> PostgresReply? {
        requestCount += 1
        pendingRequest = PostgresRequestID(requestCount)
        host.handle(.request(connection, PostgresRequestID(requestCount), request))
        return reply()
    }

    /// The answer to the last request, once it is there.
    func reply() -> PostgresReply? {
        guard let request = pendingRequest, let reply = host.takeReply(connection, request) else { return nil }
        pendingRequest = nil
        return reply
    }

    var isWaiting: Bool {
        guard let request = pendingRequest else { return false }
        guard let reply = host.takeReply(connection, request) else { return true }
        answered = reply
        pendingRequest = nil
        return false
    }
    private var answered: PostgresReply?

    /// Takes the answer that came after a wait.
    func answer() -> PostgresReply? {
        if let answered {
            self.answered = nil
            return answered
        }
        return reply()
    }

    func close() { host.handle(.connectionClosed(connection)) }
}

extension PostgresReply {
    var error: DatabaseError? {
        if case .failure(let error) = self { error } else { nil }
    }
    var sqlState: SQLState? { error?.sqlState }
    var results: [StatementResult] {
        if case .results(let results, _) = self { results } else { [] }
    }
    var isSuccess: Bool {
        switch self {
        case .results, .done: true
        case .failure, .slot, .position: false
        }
    }
    /// The rows of the last statement.
    var rows: [Row] { results.last?.rows ?? [] }
    var affected: Int? { results.last?.affectedRowCount }
}
