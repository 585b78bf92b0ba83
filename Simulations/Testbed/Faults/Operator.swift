import Outbox
import Ports
import SimCore

/// Somebody with access to the databases: does what faults ask for, with statements of his own.
final class Operator: @unchecked Sendable {
    enum Request: Sendable {
        /// Has a service's relay publish the outbox from its table again.
        case snapshotAgain(service: String, fault: FaultInstanceID)
    }

    let work: WorkQueue<Request>
    private let simulation: Simulation

    init(_ simulation: Simulation) {
        self.simulation = simulation
        work = WorkQueue(simulation)
    }

    static func slot(of service: String) -> String { "\(service)_outbox" }

    /// Adds the operator's process.
    func addProcess(database: @escaping @Sendable (ProcessContext, String) -> any Database) {
        simulation.addProcess("operator", startsWithRun: false, onError: .restart(after: .seconds(1))) {
            [self] context in
            while true {
                switch try await work.take(context) {
                case .snapshotAgain(let service, let fault):
                    try await snapshotAgain(service, fault, database(context, service))
                }
            }
        }
    }

    /// Takes the mark away that the snapshot is complete, and restarts the relay, which looks for it when it starts.
    private func snapshotAgain(_ service: String, _ fault: FaultInstanceID, _ database: any Database) async throws {
        let unmark = Update(
            RelayTable.table, set: [.set(RelayTable.isSnapshotComplete, .bool(false))],
            where: [RelayTable.slotName == .text(Self.slot(of: service))])
        do {
            guard try await database.executeAtomically([.update(unmark)])[0].affectedRowCount == 1 else { return }
        } catch is DatabaseError {
            // Out of reach: an operator gives up sooner than a service.
            return
        }
        let relay = simulation.process(named: RelayFaults.name(of: service))!
        if simulation.crash(relay) { simulation.scheduleStart(of: relay, at: simulation.now + .milliseconds(20)) }
        simulation.faults.tookEffect(fault)
    }
}
