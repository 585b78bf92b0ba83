import Ports
import SimCore
import Synchronization

/// The simulated servers: each case is a simulation of its own, in which the script is the driver's code and time is virtual.
struct SimulatedWorld: ContractWorld {
    let name = "simulated"
    let clock: any ServiceClock
    private let context: ProcessContext
    private let postgres: SimulatedPostgres

    /// Runs a case from its beginning to its end.
    ///
    /// - Throws: ``ContractFailure`` when the rule does not hold, or when the run fails for a reason of its own: a standstill,
    ///   a process that went on after its death.
    static func run(_ contractCase: ContractCase, seed: UInt64) throws {
        let simulation = Simulation(seed: seed)
        let postgres = SimulatedPostgres(simulation, name: "postgres")
        let failure = Mutex<(any Error)?>(nil)
        let report = simulation.run { context in
            do {
                try await contractCase.body(SimulatedWorld(clock: context.clock, context: context, postgres: postgres))
            } catch {
                failure.withLock { $0 = error }
            }
        }
        if let failure = failure.withLock({ $0 }) { throw failure }
        guard report.held else { throw ContractFailure("the run failed: \(report.violations)") }
    }

    func makeDatabase(_ options: DatabaseOptions) async throws -> any DatabaseServer {
        SimulatedDatabaseServer(postgres, context: context, options: options)
    }

    func makeConnector(_ options: ConnectorOptions, on server: any DatabaseServer) async throws -> any ConnectorServer {
        SimulatedConnector(options, postgres, context)
    }
}
