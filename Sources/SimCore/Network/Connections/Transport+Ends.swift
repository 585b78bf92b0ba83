import Ports

/// How connections come to an end.
extension Transport {
    /// This end is over; its delegate hears of it.
    func end(_ id: ConnectionID, _ side: ConnectionSide, _ why: ConnectionEnd) {
        let ended = table.end(id, side)
        guard ended.state != .ended else { return table.releaseIfOver(id) }
        table.setState(id, side, .ended)
        if why == .refused || why == .timedOut, table.state(id, side.other) != .open {
            table.setState(id, side.other, .ended)
        }
        table.releaseIfOver(id)
        ended.delegate?.connectionEnded(id, side: side, why)
    }

    /// Cuts a connection in the middle: both ends hear of a reset as soon as the network brings it.
    func breakBothEnds(_ id: ConnectionID) {
        let client = table.process(id, .client)
        let server = table.process(id, .server)
        table.withConnection(id) {
            $0.isCut = true
            $0.flows.0.clear()
            $0.flows.1.clear()
            $0.client.losesNextMessage = nil
            $0.server.losesNextMessage = nil
        }
        post(.reset, id, from: server, to: client, second: UInt64(ConnectionSide.client.rawValue))
        post(.reset, id, from: client, to: server, second: UInt64(ConnectionSide.server.rawValue))
    }

    func resetConnections(between left: ProcessSet, and right: ProcessSet) -> Int {
        forEachOpen { client, server in
            left.contains(client) && right.contains(server) || left.contains(server) && right.contains(client)
        } do: {
            breakBothEnds($0)
        }
    }

    func loseNextAnswers(from servers: ProcessSet, to clients: ProcessSet, fault: FaultInstanceID) -> Int {
        forEachOpen { client, server in
            servers.contains(server) && clients.contains(client)
        } do: { id in
            table.withConnection(id) { $0.server.losesNextMessage = fault }
        }
    }

    private func forEachOpen(
        where matches: (_ client: ProcessID, _ server: ProcessID) -> Bool, do body: (ConnectionID) -> Void
    ) -> Int {
        var count = 0
        for id in table.ids
        where table.state(id, .server) == .open
            && matches(table.process(id, .client), table.process(id, .server))
        {
            body(id)
            count += 1
        }
        return count
    }

    /// A process died: its ends are over. Its machine answers for it with resets, unless the machine died too.
    func processCrashed(_ process: ProcessID) {
        listeners[process] = nil
        forEachEnd(of: process) { id, side in
            let peer = table.end(id, side.other)
            table.setState(id, side, .ended)
            table.setCrashed(id, side)
            // Nothing is sent again for a dead process, and nothing leaves a dead machine.
            if simulation.isHostDown(process) || table.flow(id, side).stalledSince != nil {
                table.withFlow(id, side) { $0.clear() }
            }
            switch peer.state {
            // A client that dies before its SYN has arrived.
            case .opening where side == .client: table.setState(id, .server, .ended)
            case .opening, .open:
                if !isBlocked(process, peer.process) {
                    post(.reset, id, from: process, to: peer.process, second: UInt64(side.other.rawValue))
                }
            case .ended: break
            }
        }
    }

    /// A process came to its own end: its machine closes what it has left open.
    func processFinished(_ process: ProcessID) {
        listeners[process] = nil
        forEachEnd(of: process) { id, side in close(id, side: side) }
    }

    /// The ends of a process that are not over. Those of a server that has not heard of its client yet are not its own yet.
    private func forEachEnd(of process: ProcessID, _ body: (ConnectionID, ConnectionSide) -> Void) {
        for id in table.ids {
            for side in [ConnectionSide.client, .server] where table.contains(id) {
                let end = table.end(id, side)
                guard end.process == process, end.state == .open || end.state == .opening && side == .client
                else { continue }
                body(id, side)
                if table.contains(id) { table.releaseIfOver(id) }
            }
        }
    }
}
