import Ports
import SimCore

/// What one customer will do with one order, drawn when the order begins.
struct CustomerPlan: Sendable {
    /// What happens once the order can be paid.
    enum Payment: Sendable {
        case prompt
        /// Twice at the same time, as an impatient double click does.
        case twice
        /// When the deadline is due, or within some milliseconds of it.
        case lastMoment
        /// After the payment has expired.
        case late
        case never
    }

    /// When the customer cancels, if at all.
    enum Cancellation: Sendable {
        case never
        case atOnce
        case beforePaying
        case afterPaying
    }

    struct Line: Sendable {
        let product: Product
        let quantity: Int64
    }

    let lines: [Line]
    let paysCash: Bool
    let payment: Payment
    let cancellation: Cancellation
    /// Looks at the list of items before ordering.
    let browses: Bool
    /// Follows the order's event stream; otherwise asks now and then.
    let subscribes: Bool
    /// Thinks this long before paying.
    let hesitation: Nanoseconds

    /// Draws a plan for an order of that many pieces.
    ///
    /// - Parameter lastMomentPercent: how many of a hundred pay just before the deadline.
    static func draw(
        pieceCount: Int32, catalogue: [Product], lastMomentPercent: UInt64, _ stream: DecisionStreamID,
        _ decisions: inout Decisions
    ) -> CustomerPlan {
        let payment: Payment =
            switch decisions.draw(stream, below: 100) {
            case 0..<3: .late
            case 3..<6: .never
            case 6..<10: .twice
            case 10..<10 + lastMomentPercent: .lastMoment
            default: .prompt
            }
        let cancellation: Cancellation =
            switch decisions.draw(stream, below: 100) {
            case 0..<2: .atOnce
            case 2..<5: .beforePaying
            case 5..<7: .afterPaying
            default: .never
            }
        return CustomerPlan(
            lines: lines(pieceCount, catalogue, stream, &decisions),
            paysCash: decisions.draw(stream, below: 10) == 0, payment: payment, cancellation: cancellation,
            browses: decisions.draw(stream, below: 20) == 0, subscribes: decisions.draw(stream, below: 5) != 0,
            hesitation: decisions.span(stream, in: .milliseconds(1)...(.milliseconds(500))))
    }

    /// Spreads the pieces over up to three products.
    private static func lines(
        _ pieceCount: Int32, _ catalogue: [Product], _ stream: DecisionStreamID, _ decisions: inout Decisions
    ) -> [Line] {
        let lineCount = 1 + Int64(decisions.draw(stream, below: UInt64(min(3, pieceCount))))
        var left = Int64(pieceCount)
        var lines: [Line] = []
        for position in 0..<lineCount {
            let product = catalogue[Int(decisions.draw(stream, below: UInt64(catalogue.count)))]
            let quantity = position == lineCount - 1 ? left : max(1, left / (lineCount - position))
            left -= quantity
            if lines.contains(where: { $0.product.id == product.id }) { continue }
            lines.append(Line(product: product, quantity: quantity))
        }
        return lines
    }
}

/// Something that the shop sells, as the customers know it.
struct Product: Hashable, Sendable {
    let id: UniqueID
    let name: String
    /// Minor units.
    let unitPrice: Int64
    /// Pieces in stock when the shop opens.
    let stock: Int64
}
