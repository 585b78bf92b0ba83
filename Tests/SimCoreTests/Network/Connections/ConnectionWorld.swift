import Ports
import SimCore

/// Two processes and a transport between them, one millisecond apart, whose ends note what they are told.
final class ConnectionWorld: @unchecked Sendable {
    let simulation: Simulation
    let transport: Transport<String>
    let client: ProcessID
    let server: ProcessID
    let notes = Notes()
    private let clientEnd: NotingEnd
    private let serverEnd: NotingEnd
    /// The connection that the client opened last.
    private(set) var connection: ConnectionID!
    /// As the server knows it.
    private(set) var accepted: ConnectionID?

    init(seed: UInt64 = 1, quality: LinkQuality = LinkQuality(latency: .constant(.milliseconds(1)))) {
        simulation = Simulation(seed: seed)
        simulation.network.state.defaultQuality = quality
        transport = Transport(simulation, name: "tcp", byteCount: { $0.utf8.count }, describe: { $0 })
        client = simulation.addProcess("client")
        server = simulation.addProcess("server")
        clientEnd = NotingEnd("client", notes)
        serverEnd = NotingEnd("server", notes)
        serverEnd.onOpened = { [unowned self] in accepted = $0 }
    }

    /// What the server does as soon as a client has connected.
    func onAccept(_ act: @escaping (ConnectionID) -> Void) {
        serverEnd.onOpened = { [unowned self] in
            accepted = $0
            act($0)
        }
    }

    /// What the server does with each message.
    func onRequest(_ act: @escaping (ConnectionID, String) -> Void) { serverEnd.onReceived = act }

    func listen() { transport.listen(server, delegate: serverEnd) }

    @discardableResult
    func connect() -> ConnectionID {
        connection = transport.connect(from: client, to: server, delegate: clientEnd)
        return connection
    }

    @discardableResult
    func send(_ message: String) -> Bool { transport.send(message, on: connection, from: .client) }
    @discardableResult
    func answer(_ message: String) -> Bool { transport.send(message, on: accepted!, from: .server) }

    /// Listens, connects, waits until the connection is open, and forgets what was noted.
    func open(_ context: ProcessContext) async throws {
        listen()
        connect()
        try await context.clock.sleep(for: .milliseconds(10))
        notes.removeAll()
    }

    /// Runs the script, and lets the notes have their times.
    func run(_ script: @escaping @Sendable (ProcessContext) async throws -> Void) -> RunReport {
        notes.clock = { [unowned simulation] in simulation.now }
        return simulation.run(driver: script)
    }
}

private final class NotingEnd: ConnectionDelegate {
    private let name: String
    private let notes: Notes
    var onOpened: ((ConnectionID) -> Void)?
    var onReceived: ((ConnectionID, String) -> Void)?

    init(_ name: String, _ notes: Notes) {
        self.name = name
        self.notes = notes
    }

    func connectionOpened(_ connection: ConnectionID, side: ConnectionSide, peer: ProcessID) {
        notes.add("\(name) opened")
        onOpened?(connection)
    }

    func connection(_ connection: ConnectionID, side: ConnectionSide, received message: String) {
        notes.add("\(name) received \(message)")
        onReceived?(connection, message)
    }

    func connectionEnded(_ connection: ConnectionID, side: ConnectionSide, _ end: ConnectionEnd) {
        notes.add("\(name) \(end)")
    }
}
