import Outbox
import Ports
import SimCore

/// Faults of the relays, which know the shop's processes. Targets are names of relays.
enum RelayFaults {
    /// The processes that relays run in.
    static func name(of service: String) -> String { "cdc-\(service)" }
    /// The second relay of a service, which runs only while a fault starts it.
    static func secondName(of service: String) -> String { "cdc-\(service)-2" }

    static func register(_ simulation: Simulation, operations: Operator, watch: RelayWatch) {
        simulation.faults.register(connectorRestart)
        simulation.faults.register(twoRelays(watch))
        simulation.faults.register(resnapshot(operations))
    }

    /// A connector is restarted, as Connect does when a configuration changes: it goes on from what was confirmed.
    private static let connectorRestart = FaultDefinition(
        "connector-restart", summary: "the relay ends in the middle of what it does, and another starts at once",
        targets: .processes, parameters: [FaultParameter("restart_after", unit: "ms", default: 20, in: 1...5_000)],
        begin: FaultDefinition.crash.begin)

    /// Two relays of one database at once, as when Connect starts a task whose predecessor has not ended (KAFKA-9184).
    private static func twoRelays(_ watch: RelayWatch) -> FaultDefinition {
        FaultDefinition(
            "two-relays", summary: "a second relay of the same database runs beside the first", targets: .processes,
            lasting: .seconds(1)...(.seconds(60))
        ) { injection in
            let simulation = injection.simulation
            let seconds = injection.targets.compactMap { simulation.process(named: simulation.name(of: $0) + "-2") }
            for second in seconds {
                watch.fault[simulation.name(of: second)] = injection.id
                simulation.start(second)
            }
            return { for second in seconds { simulation.crash(second) } }
        }
    }

    /// An operator has the outbox published again from its table, as Debezium's snapshot modes and signals do.
    private static func resnapshot(_ operations: Operator) -> FaultDefinition {
        FaultDefinition(
            "re-snapshot", summary: "the relay publishes everything that the outbox retains once more",
            targets: .processes
        ) { injection in
            for target in injection.targets {
                let relay = injection.simulation.name(of: target)
                operations.work.put(.snapshotAgain(service: String(relay.dropFirst("cdc-".count)), fault: injection.id))
            }
            return nil
        }
    }
}

/// Counts what second relays do.
final class RelayWatch: @unchecked Sendable {
    /// The fault that runs a relay, by process.
    var fault: [String: FaultInstanceID] = [:]
}

/// Change streams that tell of each attempt to consume a slot.
struct WatchedChangeStreams: ChangeStreams {
    let base: any ChangeStreams
    let context: ProcessContext
    let watch: RelayWatch

    func createSlot(_ name: String, tables: [String]) async throws {
        try await base.createSlot(name, tables: tables)
    }
    func dropSlot(_ name: String) async throws { try await base.dropSlot(name) }
    func slot(_ name: String) async throws -> ReplicationSlot? { try await base.slot(name) }
    func currentLSN() async throws -> LSN { try await base.currentLSN() }

    /// An attempt beside another relay's: it gets the slot, or is told that it is active.
    func open(_ name: String, from start: LSN?) async throws -> any ChangeStream {
        if let fault = watch.fault[context.name] { context.simulation.faults.tookEffect(fault) }
        return try await base.open(name, from: start)
    }
}
