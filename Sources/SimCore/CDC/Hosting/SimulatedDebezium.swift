public import Ports

/// A Debezium PostgreSQL connector in a Connect worker of its own, as a process of a simulation.
///
/// A crash is that of the worker: what was produced since the last flush of offsets is produced again by the next
/// incarnation. A task that fails for another reason than a lost connection stays failed in Connect until somebody restarts
/// it; here the process's error policy is that somebody.
public final class SimulatedDebezium: Sendable {
    public let process: ProcessID
    private let simulation: Simulation
    private let stop = StopRequest()

    /// Adds the process.
    public init(
        _ simulation: Simulation, name: String, settings: DebeziumSettings, database: SimulatedPostgres,
        kafka: SimulatedKafkaCluster, startsWithRun: Bool = true, onError: ErrorPolicy = .restart(after: .seconds(1))
    ) {
        self.simulation = simulation
        let stop = stop
        process = simulation.addProcess(name, startsWithRun: startsWithRun, onError: onError) { context in
            try await Self.run(settings, from: database, to: kafka, context) { stop.isRequested }
        }
    }

    /// Ends the task in good order at its next poll: offsets are flushed. ``start()`` begins it again.
    public func requestStop() { stop.isRequested = true }

    public func start() {
        stop.isRequested = false
        simulation.start(process)
    }

    /// How long a task waits before it starts over after an error that may pass
    /// (`retriable.restart.connector.wait.ms`).
    static let restartWait = Nanoseconds.seconds(10)

    /// Runs a connector as the main function of a process: for those that add it themselves.
    ///
    /// - Throws: ``DebeziumError`` and errors of Kafka, which fail the task; a lost connection to the database does not.
    public static func run(
        _ settings: DebeziumSettings, from database: SimulatedPostgres, to kafka: SimulatedKafkaCluster,
        _ context: ProcessContext, isStopping: @escaping @Sendable () -> Bool = { false }
    ) async throws {
        while true {
            do {
                return try await DebeziumTask(settings, database, kafka, context, isStopping: isStopping).run()
            } catch let error as DatabaseError {
                context.log.log(
                    .warning, "the connector lost its database, starting over",
                    [LogField("connector", settings.connectorName), LogField("error", error.description)])
                try await context.sleep(for: restartWait)
            }
        }
    }

    /// On the simulation's own thread only.
    private final class StopRequest: @unchecked Sendable {
        var isRequested = false
    }
}
