/// All cases about HTTP.
enum HTTPCases {
    static let all = HTTPMessageCases.all + HTTPEdgeCases.all + HTTPStreamCases.all + HTTPConnectionCases.all
}
