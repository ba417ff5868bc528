package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// scanner reads JSON from left to right without reflection: a recording has millions of lines, and they are all alike.
// It takes what RFC 8259 takes, and its first error stays.
type scanner struct {
	text []byte
	at   int
	err  error
}

// fail keeps the first error.
func (s *scanner) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("column %d: %w", s.at+1, fmt.Errorf(format, args...))
	}
}

// next is the next byte that is not a space; 0 at the end.
func (s *scanner) next() byte {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return c
		}
	}
	return 0
}

// take steps over a byte that must be there.
func (s *scanner) take(c byte) bool {
	if s.err != nil {
		return false
	}
	if s.next() != c {
		s.fail("%q is missing", c)
		return false
	}
	s.at++
	return true
}

// more steps to the next element of a list that is closed by end; false at its end and after an error.
func (s *scanner) more(first bool, end byte) bool {
	if s.err != nil {
		return false
	}
	if s.next() == end {
		s.at++
		return false
	}
	return first || s.take(',')
}

// key reads a field's name and the colon.
func (s *scanner) key() []byte {
	name := s.string()
	s.take(':')
	return name
}

// string reads a string. What it returns is valid until the line is.
func (s *scanner) string() []byte {
	if !s.take('"') {
		return nil
	}
	from := s.at
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			return s.text[from : s.at-1]
		case c == '\\' || c < ' ' || c >= utf8.RuneSelf:
			s.at = from - 1
			return s.unusualString()
		}
		s.at++
	}
	s.fail("a string does not end")
	return nil
}

// unusualString reads a string with escapes or with other letters than ASCII.
func (s *scanner) unusualString() []byte {
	from := s.at
	for s.at++; s.at < len(s.text) && s.text[s.at] != '"'; s.at++ {
		if s.text[s.at] == '\\' {
			s.at++
		}
	}
	if s.at >= len(s.text) {
		s.at = len(s.text)
		s.fail("a string does not end")
		return nil
	}
	s.at++
	var out string
	if err := json.Unmarshal(s.text[from:s.at], &out); err != nil {
		s.fail("a string that JSON does not know: %w", err)
	}
	return []byte(out)
}

// exactDigits is how many digits a whole number may have that floating point holds exactly.
const exactDigits = 15

// number reads a number.
func (s *scanner) number() float64 {
	s.next()
	from, whole := s.at, 0.0
	for s.at < len(s.text) && isDigit(s.text[s.at]) {
		whole = whole*10 + float64(s.text[s.at]-'0')
		s.at++
	}
	digits := s.at - from
	plain := s.at == len(s.text) || !partOfNumber(s.text[s.at])
	if plain && digits > 0 && digits <= exactDigits && (digits == 1 || s.text[from] != '0') {
		return whole
	}
	return s.unusualNumber(from)
}

// errNotANumber is what strconv reads and JSON does not.
var errNotANumber = errors.New("not a number")

// unusualNumber reads a number that is negative, has a fraction or an exponent, or is large.
func (s *scanner) unusualNumber(from int) float64 {
	s.at = from
	for s.at < len(s.text) && partOfNumber(s.text[s.at]) {
		s.at++
	}
	text := s.text[from:s.at]
	v, err := 0.0, errNotANumber
	if json.Valid(text) {
		v, err = strconv.ParseFloat(string(text), 64)
	}
	if err != nil {
		s.at = from
		s.fail("a number is missing, or it is too large")
	}
	return v
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func partOfNumber(c byte) bool {
	return isDigit(c) || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E'
}

// bool reads true or false.
func (s *scanner) bool() bool {
	s.next()
	rest := s.text[s.at:]
	switch {
	case len(rest) >= 4 && string(rest[:4]) == "true":
		s.at += 4
		return true
	case len(rest) >= 5 && string(rest[:5]) == "false":
		s.at += 5
		return false
	}
	s.fail("true or false is missing")
	return false
}

// end requires that nothing follows.
func (s *scanner) end() {
	if s.err == nil && s.next() != 0 {
		s.fail("something follows the look; write one look on each line")
	}
}
