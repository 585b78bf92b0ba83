public import Ports

/// The primary's side of streaming replication.
extension SimulatedPostgres {
    /// A standby asks for WAL: it goes on where it was, or begins with a base backup.
    fileprivate func startStreaming(_ connection: ConnectionID, timeline: UInt32, from position: LSN) {
        guard !server.isRecovering else { return replication.close(connection, side: .server) }
        walSender = connection
        if server.standbyAcknowledgedLSN != nil, timeline == server.timeline {
            handle(.standbyConnected(from: position))
        } else {
            schedule(.baseBackup, after: baseBackupTime, first: connection.word)
        }
    }

    func finishBaseBackup(_ connection: ConnectionID) {
        guard walSender == connection else { return }
        handle(.standbyAttached)
        replication.send(
            .baseBackup(timeline: server.timeline, upTo: server.flushedLSN), on: connection, from: .server)
    }

    fileprivate func standbyEnded(_ connection: ConnectionID) {
        if walSender == connection { walSender = nil }
    }

    func ship(upTo position: LSN) {
        // Without a connection, or while a fault holds WAL back, the standby gets it when it asks anew.
        guard let walSender, !disturbance.holdsWALBack else { return }
        replication.send(.wal(upTo: position), on: walSender, from: .server)
    }

    /// The standby needs WAL that is gone: it has to begin again with a base backup.
    func dropStandby() {
        guard let walSender else { return }
        self.walSender = nil
        replication.close(walSender, side: .server)
    }

    // MARK: Failover

    /// The server's machine dies for good; its standby is promoted and answers under the same name after a while. The next
    /// standby is made by a base backup.
    ///
    /// Nothing that was acknowledged is lost with `hasSynchronousStandby` and `synchronizesSlots`; otherwise what had not
    /// arrived at the standby is (``onLostCommits``), and slots that are not synchronised are gone.
    ///
    /// - Returns: false, and nothing happens, when there is no standby that could take over now.
    @discardableResult
    public func failOver(promotingAfter span: Nanoseconds) -> Bool {
        guard let standby, let acknowledged = server.standbyAcknowledgedLSN, standby.timeline == server.timeline,
            simulation.state(of: standby.process) == .running, simulation.state(of: process) != .crashed
        else { return false }
        disturbance.promotedLSN = min(max(standby.receivedLSN, acknowledged), server.flushedLSN)
        simulation.crash(process, hostDown: true)
        simulation.scheduleStart(of: process, at: simulation.now + span)
        return true
    }

    func failOver(_ fault: FaultInstanceID, promotingAfter span: Nanoseconds) {
        disturbance.holdsWALBack = false
        if failOver(promotingAfter: span) { simulation.faults.tookEffect(fault) } else { catchUp() }
    }

    /// Sends what was held back.
    func catchUp() {
        if walSender != nil { ship(upTo: server.flushedLSN) }
    }
}

/// The server's end of its standby's connection.
final class StandbyAcceptor: ConnectionDelegate {
    private unowned let host: SimulatedPostgres

    init(_ host: SimulatedPostgres) { self.host = host }

    func connectionOpened(_ connection: ConnectionID, side: ConnectionSide, peer: ProcessID) {}

    func connection(_ connection: ConnectionID, side: ConnectionSide, received message: StandbyWireMessage) {
        switch message {
        case .start(let timeline, let flushed): host.startStreaming(connection, timeline: timeline, from: flushed)
        case .flushed(let position):
            if host.walSender == connection { host.handle(.standbyAcknowledged(position)) }
        case .baseBackup, .wal: preconditionFailure("a standby sent \(message.description)")
        }
    }

    func connectionEnded(_ connection: ConnectionID, side: ConnectionSide, _ end: ConnectionEnd) {
        host.standbyEnded(connection)
    }
}
