import Ports
public import SimCore

/// A connection without a server's model on it: a client says a few words, the server says them again.
public func echo(words: [String]) -> Scenario {
    Scenario("echo", summary: "a server that repeats what it is told, over one connection") { simulation in
        let transport = Transport<String>(simulation, name: "echo", byteCount: { $0.utf8.count }, describe: { $0 })
        let server = simulation.addProcess("server") { context in
            transport.listen(context.process, delegate: EchoServer(transport))
            // It listens as long as it lives.
            while true { try await context.sleep(for: .hours(1)) }
        }
        let client = EchoClient(transport, words)
        simulation.properties.atQuiescence("the server repeats every word") {
            PropertyVerdict(client.heard == words, "said \(words), heard \(client.heard)")
        }
        return Scenario.Prepared { context in
            // The server listens.
            try await context.sleep(for: .milliseconds(1))
            _ = transport.connect(from: context.process, to: server, delegate: client)
            try await context.sleep(for: .seconds(1))
        }
    }
}

/// The server's end. Its functions are called by the simulation, at the instant at which something happens; they answer at
/// once and cannot wait.
final class EchoServer: ConnectionDelegate {
    private unowned let transport: Transport<String>

    init(_ transport: Transport<String>) { self.transport = transport }

    func connectionOpened(_ connection: ConnectionID, side: ConnectionSide, peer: ProcessID) {}
    func connection(_ connection: ConnectionID, side: ConnectionSide, received message: String) {
        transport.send(message, on: connection, from: side)
    }
    func connectionEnded(_ connection: ConnectionID, side: ConnectionSide, _ end: ConnectionEnd) {}
}

/// The client's end: says its words when the connection is open. Touched on the simulation's thread only.
final class EchoClient: ConnectionDelegate, @unchecked Sendable {
    private unowned let transport: Transport<String>
    private let words: [String]
    private(set) var heard: [String] = []

    init(_ transport: Transport<String>, _ words: [String]) {
        self.transport = transport
        self.words = words
    }

    func connectionOpened(_ connection: ConnectionID, side: ConnectionSide, peer: ProcessID) {
        for word in words { transport.send(word, on: connection, from: side) }
    }
    func connection(_ connection: ConnectionID, side: ConnectionSide, received message: String) {
        heard.append(message)
    }
    func connectionEnded(_ connection: ConnectionID, side: ConnectionSide, _ end: ConnectionEnd) {}
}
