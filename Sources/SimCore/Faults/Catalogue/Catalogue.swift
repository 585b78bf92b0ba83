extension FaultDefinition {
    /// The kinds that every simulation knows. Kinds of Kafka, PostgreSQL and a domain are registered beside them.
    public static let catalogue: [FaultDefinition] = []
}
