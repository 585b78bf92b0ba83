import Ports

/// The connections that one machine (node or client object) opens: one for each peer and channel, opened when something is
/// to be sent, with what is sent meanwhile kept until it is open.
final class KafkaConnections: ConnectionDelegate {
    private struct Outgoing {
        let node: NodeID
        let channel: Channel
        let connection: ConnectionID
        var isOpen = false
        var waiting: [KafkaRequest] = []
    }

    private let cluster: SimulatedKafkaCluster
    private let process: ProcessID
    // Not checked for exclusive access at run time: no access spans a call of foreign code.
    @exclusivity(unchecked) private var outgoing: ContiguousArray<Outgoing> = []
    /// Called with what comes back, and with connections that failed.
    @exclusivity(unchecked) var received: (NodeID, Channel, KafkaResponse) -> Void = { _, _, _ in }
    @exclusivity(unchecked) var failed: (NodeID, Channel, _ wasOpen: Bool) -> Void = { _, _, _ in }

    init(_ cluster: SimulatedKafkaCluster, process: ProcessID) {
        self.cluster = cluster
        self.process = process
    }

    func send(_ request: KafkaRequest, to node: NodeID, _ channel: Channel) {
        if let index = outgoing.firstIndex(where: { $0.node == node && $0.channel == channel }) {
            if outgoing[index].isOpen {
                cluster.transport.send(.request(request), on: outgoing[index].connection, from: .client)
            } else {
                outgoing[index].waiting.append(request)
            }
            return
        }
        let connection = cluster.transport.connect(from: process, to: cluster.process(of: node), delegate: self)
        outgoing.append(Outgoing(node: node, channel: channel, connection: connection, waiting: [request]))
    }

    func disconnect(_ node: NodeID, _ channel: Channel) {
        guard let index = outgoing.firstIndex(where: { $0.node == node && $0.channel == channel }) else { return }
        let connection = outgoing.remove(at: index).connection
        cluster.transport.close(connection, side: .client)
    }

    /// Forgets everything, as a process that has died; the transport tells the peers.
    func forgetAll() { outgoing.removeAll() }

    /// Closes everything in order.
    func closeAll() {
        let connections = outgoing.map(\.connection)
        outgoing.removeAll()
        for connection in connections { cluster.transport.close(connection, side: .client) }
    }

    // MARK: Delegate

    func connectionOpened(_ connection: ConnectionID, side: ConnectionSide, peer: ProcessID) {
        guard let index = outgoing.firstIndex(where: { $0.connection == connection }) else { return }
        outgoing[index].isOpen = true
        let waiting = outgoing[index].waiting
        outgoing[index].waiting = []
        for request in waiting { cluster.transport.send(.request(request), on: connection, from: .client) }
    }

    func connection(_ connection: ConnectionID, side: ConnectionSide, received message: consuming KafkaWireMessage) {
        guard let index = outgoing.firstIndex(where: { $0.connection == connection }) else { return }
        guard case .response(let response) = consume message else { preconditionFailure("a server sent a request") }
        received(outgoing[index].node, outgoing[index].channel, response)
    }

    func connectionEnded(_ connection: ConnectionID, side: ConnectionSide, _ end: ConnectionEnd) {
        guard let index = outgoing.firstIndex(where: { $0.connection == connection }) else { return }
        let gone = outgoing.remove(at: index)
        failed(gone.node, gone.channel, gone.isOpen)
    }
}
