import Ports

extension PostgresServer {
    enum TimerKind: UInt8 { case deadlock, lock, statement, walWriter, checkpoint }

    /// Sets a timer whose name says what it is for and which wait or request it belongs to.
    mutating func setTimer(_ kind: TimerKind, _ session: Int, _ number: UInt32, at time: Instant) {
        let name = UInt64(kind.rawValue) << 56 | UInt64(session) << 32 | UInt64(number)
        effects.append(.setTimer(PostgresTimerID(name), at: time))
    }

    func decode(_ timer: PostgresTimerID) -> (kind: TimerKind, session: Int, number: UInt32)? {
        guard let kind = TimerKind(rawValue: UInt8(timer.rawValue >> 56)) else { return nil }
        return (kind, Int(timer.rawValue >> 32 & 0xFF_FFFF), UInt32(truncatingIfNeeded: timer.rawValue))
    }
}
