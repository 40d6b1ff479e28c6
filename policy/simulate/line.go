package simulate

import (
	"errors"

	"github.com/go-json-experiment/json"
)

// Line answers one line of input by one line of output, without line end:
// an [Answer], or {"error": {...}} where malformed is true. number counts from 1.
func Line(line []byte, number int, tooLong bool) (reply []byte, malformed bool) {
	answer, err := answerLine(line, tooLong)
	if err == nil {
		reply, err = json.Marshal(answer)
	}
	if err == nil {
		return reply, false
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = invalid("%v", err)
	}
	e.Line = number
	reply, err = json.Marshal(struct {
		Error *Error `json:"error"`
	}{e})
	if err != nil { // its strings were checked for UTF-8 as JSON, so that this does not happen
		reply = []byte(`{"error":{"code":"InvalidRequest","message":"the request can't be quoted"}}`)
	}
	return reply, true
}

func answerLine(line []byte, tooLong bool) (*Answer, error) {
	if tooLong || len(line) > MaxLine {
		return nil, &Error{Code: LineTooLong, Message: "the line is longer than 1 MiB"}
	}
	r, err := Decode(line)
	if err != nil {
		return nil, err
	}
	return r.Decide()
}
