public import Ports

/// The ports that every service is given, whichever world they lead to.
public struct ServicePorts: Sendable {
    public var database: any Database
    public var eventLog: any EventLog
    public var clock: any ServiceClock
    public var identifiers: any Identifiers
    public var log: any ServiceLog

    public init(
        database: any Database, eventLog: any EventLog, clock: any ServiceClock, identifiers: any Identifiers,
        log: any ServiceLog
    ) {
        self.database = database
        self.eventLog = eventLog
        self.clock = clock
        self.identifiers = identifiers
        self.log = log
    }
}
