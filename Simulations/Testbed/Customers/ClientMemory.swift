import Ports

/// What became of the customers' orders, counted: what they were told of each the properties remember as long as the shop
/// does. Clients crash like everybody, but what they were told was told.
final class ClientMemory: @unchecked Sendable {
    /// Orders that a customer has begun to place.
    var placedCount = 0
    var finishedCount = 0
    var acknowledgedCount = 0
    var rejectedCount = 0
    /// Orders whose customer gave up without an answer to the POST.
    var unansweredCount = 0
    /// Orders that were acknowledged and whose end no customer has seen yet.
    var openOrders: Set<UniqueID> = []
    /// How orders ended, by status.
    var outcomes: [String: Int64] = [:]

    init() {}
}
