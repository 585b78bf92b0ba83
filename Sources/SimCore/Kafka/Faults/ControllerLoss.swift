import Ports

extension KafkaFaults {
    /// The quorum has no majority for a while: no elections, no ISR changes, no new topics, no blocks of producer ids.
    static let controllerLoss = FaultDefinition(
        "kafka-controller-loss", summary: "there is no active controller until the fault ends", targets: .processes,
        lasting: .milliseconds(500)...(.seconds(30)), begin: FaultDefinition.stop.begin)
}
