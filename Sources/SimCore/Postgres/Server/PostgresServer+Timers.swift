import Ports

extension PostgresServer {
    enum TimerKind: UInt8 { case deadlock, lock, statement, walWriter, checkpoint, idle, runningTransactions }

    /// Sets a timer whose name says what it is for and which wait or request it belongs to.
    mutating func setTimer(_ kind: TimerKind, _ session: Int, _ number: UInt32, at time: Instant) {
        let name = UInt64(kind.rawValue) << 56 | UInt64(session) << 32 | UInt64(number)
        effects.append(.setTimer(PostgresTimerID(name), at: time))
    }

    func decode(_ timer: PostgresTimerID) -> (kind: TimerKind, session: Int, number: UInt32)? {
        guard let kind = TimerKind(rawValue: UInt8(timer.rawValue >> 56)) else { return nil }
        return (kind, Int(timer.rawValue >> 32 & 0xFF_FFFF), UInt32(truncatingIfNeeded: timer.rawValue))
    }

    /// Notes that a session is silent inside its transaction. One timer a session is enough: it is put off when it fires
    /// too early.
    mutating func noteIdleInTransaction(_ session: Int) {
        guard let timeout = settings.idleInTransactionTimeout, sessions[session].transaction.state != .none else {
            return
        }
        sessions[session].idleSince = now
        if sessions[session].isIdleTimerSet { return }
        sessions[session].isIdleTimerSet = true
        setTimer(.idle, session, sessions[session].useNumber, at: now + timeout)
    }

    mutating func idleTimerFired(_ session: Int, _ number: UInt32) {
        guard let timeout = settings.idleInTransactionTimeout, sessions[session].isInUse,
            sessions[session].useNumber == number
        else { return }
        sessions[session].isIdleTimerSet = false
        guard sessions[session].request == nil, sessions[session].transaction.state != .none else { return }
        let due = sessions[session].idleSince + timeout
        if now < due {
            sessions[session].isIdleTimerSet = true
            setTimer(.idle, session, number, at: due)
            return
        }
        let text = "terminating connection due to idle-in-transaction timeout"
        effects.append(.close(sessions[session].connection, failure(SQLState(rawValue: "25P03"), text)))
        endSession(session)
    }
}
