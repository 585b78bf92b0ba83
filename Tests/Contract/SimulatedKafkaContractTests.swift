import Foundation
import Testing

/// Every case about Kafka on a simulated cluster, which has to behave as a real one does.
///
/// `CONTRACT_ONLY` picks cases by a part of their id, and `CONTRACT_RESULTS` names a report to bring up to date.
@Suite("Contract on a simulated Kafka")
struct SimulatedKafkaContractTests {
    private static var chosen: [ContractCase] {
        guard let part = ProcessInfo.processInfo.environment["CONTRACT_ONLY"] else { return KafkaCases.all }
        return KafkaCases.all.filter { $0.id.contains(part) }
    }

    @Test("Kafka", arguments: chosen)
    func kafka(_ contractCase: ContractCase) throws {
        try ResultsFile.recording(contractCase, world: "simulated", versions: nil) {
            try SimulatedKafkaWorld.run(contractCase, seed: 1)
        }
    }
}
