import Outbox
import Ports

/// Makes what the shop's declarations say exist: databases and topics. What exists already is left as it is.
struct Setup: Sendable {
    /// How topics that do not exist yet are made.
    struct TopicShape: Sendable {
        var partitionCount: Int32
        var replicationFactor: Int16
        var minimumInSyncReplicas: Int

        init(_ environment: Environment) throws(ConfigurationError) {
            partitionCount = Int32(try environment.integer(Variables.topicPartitions, in: 1...10_000))
            replicationFactor = Int16(try environment.integer(Variables.topicReplicas, in: 1...100))
            minimumInSyncReplicas = try environment.integer(Variables.topicMinimumInSync, in: 1...100)
        }
    }

    let patience: Patience

    func migrate(_ schema: Schema, _ administration: any DatabaseAdministration) async throws {
        try await patience.attempt("database of the \(schema.name) service") {
            try await administration.migrate(to: schema)
        }
    }

    /// - Throws: ``StartupError``.
    func createTopics(
        _ topics: [String], _ shape: TopicShape, _ administration: any EventLogAdministration
    ) async throws {
        for topic in topics {
            try await patience.attempt("topic \(topic)") {
                if try await administration.partitionCount(of: topic) != nil { return }
                var specification = TopicSpecification(
                    topic, partitionCount: shape.partitionCount, replicationFactor: shape.replicationFactor)
                specification.minimumInSyncReplicas = shape.minimumInSyncReplicas
                do {
                    try await administration.createTopic(specification)
                } catch let error as EventLogError where error.code == .topicAlreadyExists {
                    // Another service that starts now was faster.
                } catch let error as EventLogError where error.code == .invalidReplicationFactor {
                    throw StartupError(
                        what: "topic \(topic)",
                        problem: "\(error); set \(Variables.topicReplicas.name) to no more than there are brokers")
                }
            }
        }
    }
}
