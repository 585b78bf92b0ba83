import Ports

/// Membership of consumer groups: who gets what, what members are told, and in which order.
enum KafkaGroupCases {
    static let all: [ContractCase] = [single, eager, cooperative, handOver]

    private static let single = ContractCase.kafka(
        "groups/single-member", "A single member is assigned every partition, and reads from the earliest offset"
    ) { stage in
        let topic = try await stage.topic(partitions: 3, replicas: 1)
        for partition: Int32 in 0..<3 { try await stage.produce(["v\(partition)"], to: topic, partition: partition) }
        let member = try await stage.member(of: stage.cluster.uniqueName("group"), topic)
        try await stage.poll(member, until: "three records") { member.records.count == 3 }
        try expect(member.events, equals: ["assigned 0,1,2"], "what it was told")
        try expect(member.records.values.sorted(), equals: ["v0", "v1", "v2"], "what it read")
    }

    private static let eager = ContractCase.kafka(
        "groups/eager", "Eager: a member gives up everything before another joins"
    ) { stage in
        let topic = try await stage.topic(partitions: 4, replicas: 1)
        let group = stage.cluster.uniqueName("group")
        let first = try await stage.member(of: group, topic) { $0.assignmentStrategy = .range }
        try await stage.poll(first, until: "the first has all") { first.partitions.count == 4 }
        let second = try await stage.member(of: group, topic) { $0.assignmentStrategy = .range }
        try await stage.poll(first, second, until: "both have two") {
            first.partitions.count == 2 && second.partitions.count == 2
        }
        try expect(first.events.prefix(2), equals: ["assigned 0,1,2,3", "revoked 0,1,2,3"], "what the first was told")
        try expect(Set(first.partitions + second.partitions), equals: [0, 1, 2, 3], "all partitions have an owner")
    }

    private static let cooperative = ContractCase.kafka(
        "groups/cooperative", "Cooperative: only what moves is given up, and the rest stays where it is"
    ) { stage in
        let topic = try await stage.topic(partitions: 4, replicas: 1)
        let group = stage.cluster.uniqueName("group")
        let first = try await stage.member(of: group, topic)
        try await stage.poll(first, until: "the first has all") { first.partitions.count == 4 }
        let second = try await stage.member(of: group, topic)
        try await stage.poll(first, second, until: "both have two") {
            first.partitions.count == 2 && second.partitions.count == 2
        }
        try expect(first.events.count, equals: 2, "what the first was told: \(first.events)")
        let moved = second.partitions.map { String($0) }.joined(separator: ",")
        try expect(first.events[1], equals: "revoked \(moved)", "the first gave up what the second has")
        try expect(second.events, equals: ["assigned \(moved)"], "what the second was told")
    }

    private static let handOver = ContractCase.kafka(
        "groups/leaving", "A member that closes is told to give up its partitions, and another has them at once"
    ) { stage in
        let topic = try await stage.topic(partitions: 2, replicas: 1)
        let group = stage.cluster.uniqueName("group")
        let first = try await stage.member(of: group, topic) { $0.sessionTimeout = .seconds(45) }
        let second = try await stage.member(of: group, topic) { $0.sessionTimeout = .seconds(45) }
        try await stage.poll(first, second, until: "both have one") {
            first.partitions.count == 1 && second.partitions.count == 1
        }
        first.forgetEvents()
        let owned = first.partitions
        await first.consumer.close()
        try expect(first.events, equals: ["revoked \(owned[0])"], "what it was told")
        try await stage.poll(second, until: "the other has both", within: .seconds(10)) {
            second.partitions.count == 2
        }
    }
}
