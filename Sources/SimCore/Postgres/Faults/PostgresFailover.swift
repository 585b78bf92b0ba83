import Ports

extension PostgresFaults {
    /// The primary's machine is lost, and the standby is promoted in its place. With an asynchronous standby this loses what
    /// had not arrived there; with a synchronous one and synchronised slots it loses nothing that was acknowledged.
    /// Source: PostgreSQL 17 documentation, Failover.
    static func failover(_ servers: Servers) -> FaultDefinition {
        FaultDefinition(
            "postgres-failover", summary: "the primary is lost, and its standby is promoted in its place",
            targets: .processes,
            parameters: [
                FaultParameter("lag", unit: "ms", default: 100, in: 0...5_000),
                FaultParameter("promotion_after", unit: "ms", default: 3_000, in: 200...30_000),
            ]
        ) { injection in
            let promotion = Nanoseconds.milliseconds(injection.parameter("promotion_after"))
            for server in servers.disturbable(injection) {
                server.holdBackAndFailOver(
                    injection.id, lag: .milliseconds(injection.parameter("lag")), promotingAfter: promotion)
            }
            return nil
        }
    }
}

extension SimulatedPostgres {
    /// The standby falls behind for a while before the primary is lost.
    fileprivate func holdBackAndFailOver(_ fault: FaultInstanceID, lag: Nanoseconds, promotingAfter: Nanoseconds) {
        disturbance.holdsWALBack = true
        schedule(
            .failOver, after: lag, first: UInt64(fault.rawValue), second: UInt64(promotingAfter.rawValue))
    }
}
