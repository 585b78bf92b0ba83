import Testing

/// Every case on the simulated servers, which have to behave as the real ones do.
///
/// `CONTRACT_RESULTS` names a report to bring up to date, as for the real ones.
@Suite("Contract on simulated servers")
struct SimulatedContractTests {
    @Test("PostgreSQL", arguments: PostgresCases.all)
    func postgres(_ contractCase: ContractCase) throws { try run(contractCase) }

    @Test("Debezium", arguments: DebeziumCases.all)
    func debezium(_ contractCase: ContractCase) throws { try run(contractCase) }

    private func run(_ contractCase: ContractCase) throws {
        try ResultsFile.recording(contractCase, world: "simulated", versions: nil) {
            try SimulatedWorld.run(contractCase, seed: 1)
        }
    }
}
