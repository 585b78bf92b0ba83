import Ports

/// A packet of a handshake, in one word of an event.
struct HandshakePacket {
    /// The server's answer; otherwise the client's SYN.
    var isAnswer: Bool
    var isRefusal = false
    /// How often it has been sent before.
    var attempt: UInt64 = 0

    init(isAnswer: Bool, isRefusal: Bool = false) {
        self.isAnswer = isAnswer
        self.isRefusal = isRefusal
    }

    init(word: UInt64) {
        isAnswer = word & 1 == 1
        isRefusal = word & 2 == 2
        attempt = word >> 2
    }

    var word: UInt64 { attempt << 2 | (isRefusal ? 2 : 0) | (isAnswer ? 1 : 0) }
}

/// How connections come to be.
extension Transport {
    /// Sends a packet of a handshake, as long as the client still waits for its outcome.
    func post(_ packet: HandshakePacket, _ id: ConnectionID) {
        guard table.state(id, .client) == .opening else { return }
        let (from, to) = processes(id, packet.isAnswer ? .server : .client)
        if isBlocked(from, to) { return resend(packet, id) }
        post(packet.isAnswer ? .answerToClient : .arriveAtServer, id, from: from, to: to, second: packet.word)
    }

    /// A packet of a handshake was lost: it is sent again after a second, then two, then four (RFC 6298, section 2).
    private func resend(_ packet: HandshakePacket, _ id: ConnectionID) {
        var again = packet
        again.attempt += 1
        simulation.schedule(
            at: simulation.now + .seconds(1 << Int64(min(packet.attempt, 6))), handler, code: Code.resend.rawValue,
            first: id.word, second: again.word)
    }

    /// A SYN arrives.
    func accept(_ id: ConnectionID, _ packet: HandshakePacket) {
        let client = table.end(id, .client)
        let server = table.process(id, .server)
        if isBlocked(client.process, server) { return resend(packet, id) }
        let state = simulation.state(of: server)
        guard state == .running || state == .paused, let listener = listeners[server] else {
            return post(HandshakePacket(isAnswer: true, isRefusal: true), id)
        }
        table.withConnection(id) {
            $0.server.incarnation = simulation.incarnation(of: server)
            $0.server.state = .open
            $0.server.delegate = listener
        }
        post(HandshakePacket(isAnswer: true), id)
        // A frozen server hears of it when it goes on, before it hears of anything that the client sends.
        if simulation.processes[Int(server.index)].isFrozen {
            simulation.schedule(at: simulation.now, handler, code: Code.announce.rawValue, first: id.word)
        } else {
            announce(id)
        }
    }

    /// The server hears that a client has connected.
    func announce(_ id: ConnectionID) {
        let server = table.end(id, .server)
        guard server.state == .open else { return }
        server.delegate?.connectionOpened(id, side: .server, peer: table.process(id, .client))
    }

    /// The answer to a SYN arrives.
    func answer(_ id: ConnectionID, _ packet: HandshakePacket) {
        let (client, server) = (table.end(id, .client), table.end(id, .server))
        guard client.state == .opening else { return }
        if isBlocked(server.process, client.process) { return resend(packet, id) }
        if packet.isRefusal {
            table.setState(id, .server, .ended)
            return end(id, .client, .refused)
        }
        if server.hasCrashed { return end(id, .client, .reset) }
        table.setState(id, .client, .open)
        client.delegate?.connectionOpened(id, side: .client, peer: server.process)
        // What the server sent right away may have overtaken its acceptance.
        deliverAllDue(id, .server)
    }

    /// The client has waited long enough for an answer.
    func giveUpConnecting(_ id: ConnectionID) {
        guard table.state(id, .client) == .opening else { return }
        if table.state(id, .server) == .open { dropAccepted(id) } else { table.setState(id, .server, .ended) }
        end(id, .client, .timedOut)
    }

    /// A server has accepted a client that will not go on. Its own machine finds out, since the handshake is never completed:
    /// no packet of the client is needed for that.
    func dropAccepted(_ id: ConnectionID) {
        let (client, server) = (table.process(id, .client), table.process(id, .server))
        post(.reset, id, from: client, to: server, second: UInt64(ConnectionSide.server.rawValue))
    }
}
