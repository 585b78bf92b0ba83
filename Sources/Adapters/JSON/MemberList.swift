import Ports

/// The members of an object as they are read, of which only the last of one name is kept.
///
/// Names are compared byte by byte, as PostgreSQL does: `String` itself takes two spellings of an accent for equal.
struct MemberList {
    private var members: [JSONMember] = []

    /// Up to here, comparing names with each other is cheaper than hashing them.
    private static let countComparedDirectly = 12

    mutating func append(_ member: JSONMember) { members.append(member) }

    /// The members in order, each name once, at the place of its last one. Linear in their count.
    func distinct() -> [JSONMember] {
        hasDuplicates ? withoutDuplicates() : members
    }

    private var hasDuplicates: Bool {
        if members.count <= Self.countComparedDirectly {
            for index in members.indices.dropFirst() {
                for earlier in 0..<index where members[earlier].name.utf8.elementsEqual(members[index].name.utf8) {
                    return true
                }
            }
            return false
        }
        return Set(members.map { Array($0.name.utf8) }).count != members.count
    }

    private func withoutDuplicates() -> [JSONMember] {
        var seen: Set<[UInt8]> = []
        var kept: [JSONMember] = []
        for member in members.reversed() where seen.insert(Array(member.name.utf8)).inserted { kept.append(member) }
        kept.reverse()
        return kept
    }
}
