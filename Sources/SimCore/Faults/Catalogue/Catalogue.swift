extension FaultDefinition {
    /// The kinds that every simulation knows. Kinds of Kafka, PostgreSQL and a domain are registered beside them.
    public static let catalogue: [FaultDefinition] = [
        .crash, .hostCrash, .stop, .pause, .clockJump, .clockDrift, .partition, .partitionOneWay, .flapping, .clog,
        .loss,
        .duplication, .reordering, .slowNode, .connectionReset, .applyThenFail, .slowDisk, .fullDisk, .failedSync,
        .unsyncedLoss, .tornWrite, .bitRot,
    ]
}
