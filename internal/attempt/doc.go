// Package attempt records what devices try: each attempt from its TCP accept to
// its end, with the checks it went through, in order, and their evidence. It
// keeps attempts in a bounded store, explains them, and serves them over HTTP.
//
// Recording never slows a device down: an attempt is bounded memory behind its
// own lock, and the way to the store is a bounded buffer that drops and counts.
package attempt
