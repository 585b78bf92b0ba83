import Ports

/// Committed offsets: who may commit when, and what becomes of them.
enum KafkaOffsetCases {
    static let all: [ContractCase] = [
        resume, absent, withoutMembers, strangerWhileMembers, beforeJoining, whileRevoking, whileJoining, evicted,
        rewind, unknownGroup,
    ]

    private static let resume = ContractCase.kafka(
        "offsets/resume", "A group goes on from its committed offset, which is the offset of the next record"
    ) { stage in
        let topic = try await stage.topic()
        try await stage.produce(["a", "b", "c"], to: topic)
        let group = stage.cluster.uniqueName("group")
        let first = try await stage.member(of: group, topic)
        try await stage.poll(first, until: "three records") { first.records.count == 3 }
        try await first.consumer.commit([CommittedOffset(TopicPartition(topic, 0), 2)])
        await first.consumer.close()
        let second = try await stage.member(of: group, topic)
        try await stage.poll(second, until: "a record") { !second.records.isEmpty }
        try expect(second.records.values, equals: ["c"], "what the next member read")
    }

    private static let absent = ContractCase.kafka(
        "offsets/absent", "Partitions without a committed offset are left out, for a member and for administration"
    ) { stage in
        let topic = try await stage.topic(partitions: 3, replicas: 1)
        let group = stage.cluster.uniqueName("group")
        let member = try await stage.member(of: group, topic)
        try await stage.poll(member, until: "it has all") { member.partitions.count == 3 }
        let all = (0..<3).map { TopicPartition(topic, Int32($0)) }
        try expect(try await member.consumer.committed(all), equals: [], "before the first commit")
        let offsets = [CommittedOffset(all[0], 0), CommittedOffset(all[2], 7)]
        try await member.consumer.commit(offsets)
        try expect(try await member.consumer.committed(all), equals: offsets, "what the member sees")
        try expect(
            try await stage.administration.committedOffsets(ofGroup: group), equals: offsets,
            "what administration sees")
    }

    private static let unknownGroup = ContractCase.kafka(
        "offsets/unknown-group", "A group that nobody has used has no offsets, which is no error"
    ) { stage in
        try expect(
            try await stage.administration.committedOffsets(ofGroup: stage.cluster.uniqueName("group")), equals: [],
            "its offsets")
    }

    private static let withoutMembers = ContractCase.kafka(
        "offsets/without-members", "A consumer outside the group may commit in its name while the group has no members"
    ) { stage in
        let topic = try await stage.topic()
        let group = stage.cluster.uniqueName("group")
        let consumer = try await stage.consumer(group: group)
        let offset = CommittedOffset(TopicPartition(topic, 0), 5)
        try await consumer.assign([CommittedOffset(TopicPartition(topic, 0), 0)])
        try await consumer.commit([offset])
        try expect(try await consumer.committed([TopicPartition(topic, 0)]), equals: [offset], "what was committed")
    }

    private static let strangerWhileMembers = ContractCase.kafka(
        "offsets/stranger", "While a group has members, a commit from outside is refused with 25"
    ) { stage in
        let topic = try await stage.topic()
        let group = stage.cluster.uniqueName("group")
        let member = try await stage.member(of: group, topic)
        try await stage.poll(member, until: "it has the partition") { member.partitions == [0] }
        let stranger = try await stage.consumer(group: group)
        try await stranger.assign([CommittedOffset(TopicPartition(topic, 0), 0)])
        let error = try await stage.mustFail(.unknownMemberID, "the stranger's commit") {
            try await stranger.commit([CommittedOffset(TopicPartition(topic, 0), 5)])
        }
        try expect(error.outcome, equals: .noEffect, "outcome")
        try expect(
            try await member.consumer.committed([TopicPartition(topic, 0)]), equals: [], "nothing was committed")
    }

    private static let beforeJoining = ContractCase.kafka(
        "offsets/before-joining", "A consumer that subscribed but has not joined cannot commit: 25"
    ) { stage in
        let topic = try await stage.topic()
        let member = try await stage.member(of: stage.cluster.uniqueName("group"), topic)
        try await stage.mustFail(.unknownMemberID, "a commit before the first poll") {
            try await member.consumer.commit([CommittedOffset(TopicPartition(topic, 0), 1)])
        }
    }

    private static let whileRevoking = ContractCase.kafka(
        "offsets/while-revoking", "What is committed while partitions are given up is where their next owner begins"
    ) { stage in
        let topic = try await stage.topic(partitions: 2, replicas: 1)
        for partition: Int32 in 0..<2 {
            try await stage.produce(["a\(partition)", "b\(partition)"], to: topic, partition: partition)
        }
        let group = stage.cluster.uniqueName("group")
        let first = try await stage.member(of: group, topic) { $0.assignmentStrategy = .range }
        let consumer = first.consumer
        first.whenRevoked { partitions in try? await consumer.commit(partitions.map { CommittedOffset($0, 1) }) }
        try await stage.poll(first, until: "four records") { first.records.count == 4 }
        let second = try await stage.member(of: group, topic) { $0.assignmentStrategy = .range }
        try await stage.poll(first, second, until: "both read on") {
            first.records.count == 5 && second.records.count == 1
        }
        let owned = (first.partitions[0], second.partitions[0])
        try expect(first.records.values.last, equals: "b\(owned.0)", "what the first read again")
        try expect(second.records.values, equals: ["b\(owned.1)"], "what the second read")
    }

    private static let whileJoining = ContractCase.kafka(
        "offsets/while-joining", "A member that has given up its partitions and joins again cannot commit: 27"
    ) { stage in
        let topic = try await stage.topic(partitions: 3, replicas: 1)
        let group = stage.cluster.uniqueName("group")
        let first = try await stage.member(of: group, topic) { $0.assignmentStrategy = .range }
        let slow = try await stage.member(of: group, topic) { $0.assignmentStrategy = .range }
        try await stage.poll(first, slow, until: "both have some") {
            first.partitions.count + slow.partitions.count == 3 && !first.partitions.isEmpty && !slow.partitions.isEmpty
        }
        first.forgetEvents()
        // A third joins; the slow one does not hear of it, so the group waits for it.
        let third = try await stage.member(of: group, topic) { $0.assignmentStrategy = .range }
        try await stage.poll(first, third, until: "the first gave up its partitions") { !first.events.isEmpty }
        try await stage.poll(first, third, for: .seconds(1))
        let error = try await stage.mustFail(.rebalanceInProgress, "a commit of what it had") {
            try await first.consumer.commit([CommittedOffset(TopicPartition(topic, 0), 1)])
        }
        try expect(error.outcome, equals: .noEffect, "outcome")
        try expect(error.isFatal, equals: false, "the member can go on")
        try await stage.poll(first, slow, third, until: "each has one") {
            [first, slow, third].allSatisfy { $0.partitions.count == 1 }
        }
        let owned = first.consumer.assignment[0]
        try await first.consumer.commit([CommittedOffset(owned, 1)])
    }

    private static let evicted = ContractCase.kafka(
        "offsets/zombie", "A member that was dropped from its group cannot commit: 25. It learns late that it lost all"
    ) { stage in
        let topic = try await stage.topic(partitions: 2, replicas: 1)
        let group = stage.cluster.uniqueName("group")
        let zombie = try await stage.member(of: group, topic) { $0.maximumPollInterval = .seconds(6) }
        try await stage.poll(zombie, until: "it has all") { zombie.partitions.count == 2 }
        // The zombie does not poll any more, and is dropped.
        try await stage.clock.sleep(for: .seconds(9))
        let heir = try await stage.member(of: group, topic)
        try await stage.poll(heir, until: "the other has all") { heir.partitions.count == 2 }
        try expect(zombie.events, equals: ["assigned 0,1"], "the zombie knows nothing yet")
        try expect(zombie.partitions, equals: [0, 1], "it still thinks that it has all")
        let error = try await stage.mustFail(.unknownMemberID, "the zombie's commit") {
            try await zombie.consumer.commit([CommittedOffset(TopicPartition(topic, 0), 1)])
        }
        try expect(error.outcome, equals: .noEffect, "outcome")
        try await stage.poll(zombie, heir, until: "it is told") { zombie.events.count >= 2 }
        try expect(zombie.events[1], equals: "lost 0,1", "what it is told")
        try await stage.poll(zombie, heir, until: "it is a member again") { zombie.partitions.count == 1 }
    }

    private static let rewind = ContractCase.kafka(
        "offsets/rewind", "An offset may be committed below an earlier one; the last commit counts"
    ) { stage in
        let topic = try await stage.topic()
        let group = stage.cluster.uniqueName("group")
        let member = try await stage.member(of: group, topic)
        try await stage.poll(member, until: "it has the partition") { member.partitions == [0] }
        let partition = TopicPartition(topic, 0)
        for offset: Int64 in [5, 3] { try await member.consumer.commit([CommittedOffset(partition, offset)]) }
        try expect(
            try await member.consumer.committed([partition]), equals: [CommittedOffset(partition, 3)], "the offset")
    }
}
