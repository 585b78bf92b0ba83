import Ports

/// What clients were told, which the shop has to stand by. Clients crash like everybody, but what they were told was told.
final class ClientMemory: @unchecked Sendable {
    /// One order as its customer knows it.
    struct Told: Sendable {
        let requestKey: String
        /// `nil` until a POST was acknowledged.
        var orderID: UniqueID?
        /// Ids from acknowledged POSTs with the same key: more than one is a violation of idempotency.
        var acknowledgedIDs: [UniqueID] = []
        /// The last status that any answer showed.
        var lastStatus = ""
        var isFinished = false
    }

    var orders: [Int: Told] = [:]
    var finishedCount = 0
    var acknowledgedCount = 0
    var rejectedCount = 0
    /// Orders whose customer gave up without an answer to the POST.
    var unansweredCount = 0
    /// How orders ended, by status.
    var outcomes: [String: Int64] = [:]

    init() {}
}
