package import Ports

/// How a group's leader, which is a client, divides the partitions (ConsumerPartitionAssignor).
package enum PartitionAssignor {
    /// Assigns every partition of the subscribed topics that exist to one subscribed member. Members are taken in the order
    /// of their ids (static ones by instance id), so the result depends on nothing else.
    package static func assign(
        _ strategy: AssignmentStrategy, _ members: [GroupMemberDescription], _ metadata: ClusterMetadata
    ) -> [MemberAssignment] {
        let sorted = members.sorted { ($0.instanceID ?? $0.id, $0.id) < ($1.instanceID ?? $1.id, $1.id) }
        let assigned: [[PartitionID]] =
            switch strategy {
            case .range: range(sorted, metadata)
            case .roundRobin: roundRobin(sorted, metadata)
            case .cooperativeSticky: cooperativeSticky(sorted, metadata)
            }
        return zip(sorted, assigned).map { MemberAssignment(memberID: $0.id, partitions: $1.sorted()) }
    }

    /// Existing topics that somebody subscribes to, by name.
    private static func topics(_ members: [GroupMemberDescription], _ metadata: ClusterMetadata) -> [TopicImage] {
        metadata.topics
            .filter { topic in members.contains { $0.subscription.topics.contains(topic.name) } }
            .sorted { $0.name < $1.name }
    }

    /// RangeAssignor: of each topic a contiguous piece; the first members get one more where it does not come out even.
    private static func range(
        _ members: [GroupMemberDescription], _ metadata: ClusterMetadata
    ) -> [[PartitionID]] {
        var result = [[PartitionID]](repeating: [], count: members.count)
        for topic in topics(members, metadata) {
            let subscribers = members.indices.filter { members[$0].subscription.topics.contains(topic.name) }
            let share = Int(topic.partitionCount) / subscribers.count
            let extra = Int(topic.partitionCount) % subscribers.count
            var next = 0
            for (position, member) in subscribers.enumerated() {
                let count = share + (position < extra ? 1 : 0)
                result[member] += topic.partitions[next..<(next + count)]
                next += count
            }
        }
        return result
    }

    /// RoundRobinAssignor: all partitions in turn.
    private static func roundRobin(
        _ members: [GroupMemberDescription], _ metadata: ClusterMetadata
    ) -> [[PartitionID]] {
        var result = [[PartitionID]](repeating: [], count: members.count)
        var next = 0
        for topic in topics(members, metadata) {
            for partition in topic.partitions {
                while !members[next % members.count].subscription.topics.contains(topic.name) { next += 1 }
                result[next % members.count].append(partition)
                next += 1
            }
        }
        return result
    }

    /// CooperativeStickyAssignor: everybody keeps what is balanced; what has to move is given to nobody until its owner has
    /// let go of it, in the next rebalance (KIP-429).
    private static func cooperativeSticky(
        _ members: [GroupMemberDescription], _ metadata: ClusterMetadata
    ) -> [[PartitionID]] {
        let owned = validOwned(members, metadata)
        var result = owned
        func subscribes(_ member: Int, _ partition: PartitionID) -> Bool {
            let topic = metadata.topics[metadata.partitions[partition.index].topic.index]
            return members[member].subscription.topics.contains(topic.name)
        }
        let taken = Set(owned.joined())
        for topic in topics(members, metadata) {
            for partition in topic.partitions where !taken.contains(partition) {
                let least = members.indices.filter { subscribes($0, partition) }
                    .min { (result[$0].count, $0) < (result[$1].count, $1) }
                if let least { result[least].append(partition) }
            }
        }
        // Move one at a time from the fullest to the emptiest that may have it, as long as that helps.
        var hasMoved = true
        while hasMoved {
            hasMoved = false
            for from in members.indices.sorted(by: { (result[$1].count, $0) < (result[$0].count, $1) }) {
                let candidates = members.indices.filter { result[$0].count + 1 < result[from].count }
                    .sorted { (result[$0].count, $0) < (result[$1].count, $1) }
                guard
                    let to = candidates.first(where: { to in result[from].contains { subscribes(to, $0) } }),
                    let position = result[from].lastIndex(where: { subscribes(to, $0) })
                else { continue }
                result[to].append(result[from].remove(at: position))
                hasMoved = true
                break
            }
        }
        // A partition that still has another owner waits for the next round.
        var owner: [PartitionID: Int] = [:]
        for (member, partitions) in owned.enumerated() {
            for partition in partitions { owner[partition] = member }
        }
        return result.enumerated().map { member, partitions in
            partitions.filter { owner[$0] == nil || owner[$0] == member }
        }
    }

    /// What each member really owns: a claim of an older generation gives way, and of two equal claims neither counts.
    private static func validOwned(
        _ members: [GroupMemberDescription], _ metadata: ClusterMetadata
    ) -> [[PartitionID]] {
        var best: [PartitionID: (generation: Int32, member: Int?)] = [:]
        for (index, member) in members.enumerated() {
            for partition in member.subscription.owned {
                guard let image = metadata.partition(partition),
                    member.subscription.topics.contains(metadata.topics[image.topic.index].name)
                else { continue }
                let generation = member.subscription.generation
                guard let known = best[partition] else {
                    best[partition] = (generation, index)
                    continue
                }
                if generation > known.generation {
                    best[partition] = (generation, index)
                } else if generation == known.generation {
                    best[partition] = (generation, nil)
                }
            }
        }
        return members.enumerated().map { index, member in
            member.subscription.owned.filter { best[$0]?.member == index }.sorted()
        }
    }
}
