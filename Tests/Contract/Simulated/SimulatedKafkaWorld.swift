import Ports
import SimCore
import Synchronization

/// A simulated cluster: each case is a simulation of its own, in which the script is the driver's code and time is virtual.
struct SimulatedKafkaWorld: ContractWorld {
    let name = "simulated"
    let clock: any ServiceClock
    private let cluster: SimulatedEventLogCluster

    /// Runs a case from its beginning to its end.
    ///
    /// - Throws: ``ContractFailure`` when the rule does not hold, or when the run fails for a reason of its own: a
    ///   standstill, a process that went on after its death.
    static func run(_ contractCase: ContractCase, seed: UInt64) throws {
        let simulation = Simulation(seed: seed)
        let kafka = SimulatedKafkaCluster(simulation, brokerCount: 3, settings: settings)
        let failure = Mutex<(any Error)?>(nil)
        let report = simulation.run { context in
            let cluster = SimulatedEventLogCluster(simulation, kafka, context)
            do {
                try await contractCase.body(SimulatedKafkaWorld(clock: context.clock, cluster: cluster))
            } catch {
                failure.withLock { $0 = error }
            }
        }
        if let failure = failure.withLock({ $0 }) { throw failure }
        guard report.held else { throw ContractFailure("the run failed: \(report.violations)") }
    }

    private static var settings: ClusterSettings {
        var settings = ClusterSettings()
        settings.groupInitialRebalanceDelay = .zero
        settings.groupMinimumSessionTimeout = .seconds(1)
        settings.retentionCheckInterval = .seconds(1)
        return settings
    }

    func makeEventLogCluster() async throws -> any EventLogCluster { cluster }
}

/// The simulated cluster as cases see one.
private final class SimulatedEventLogCluster: EventLogCluster {
    let eventLog: any EventLog
    let brokers: [Int]
    private let simulation: Simulation
    private let kafka: SimulatedKafkaCluster
    private let nextName = Mutex(0)

    init(_ simulation: Simulation, _ kafka: SimulatedKafkaCluster, _ context: ProcessContext) {
        self.simulation = simulation
        self.kafka = kafka
        eventLog = kafka.eventLog(context)
        brokers = Array(1...kafka.brokerNames.count)
    }

    func uniqueName(_ kind: String) -> String {
        let number = nextName.withLock { number in
            number += 1
            return number
        }
        return "\(kind)-\(number)"
    }

    func replicas(of partition: TopicPartition) async throws -> ReplicaState {
        guard let state = kafka.replicaState(of: partition) else {
            throw ContractFailure("there is no partition \(partition)")
        }
        return ReplicaState(leader: state.leader.map { Int($0) }, inSync: state.inSync.map { Int($0) })
    }

    private func process(_ broker: Int) throws -> ProcessID {
        guard let process = simulation.process(named: "kafka-\(broker)") else {
            throw ContractFailure("there is no broker \(broker)")
        }
        return process
    }

    func crash(_ broker: Int) async throws { simulation.crash(try process(broker)) }
    func start(_ broker: Int) async throws { simulation.start(try process(broker)) }
    func pause(_ broker: Int) async throws { simulation.pause(try process(broker)) }
    func resume(_ broker: Int) async throws { simulation.resume(try process(broker)) }
}
