package prom

import (
	"testing"
	"time"
)

func TestNext(t *testing.T) {
	const s = time.Second
	at := start.Add
	cases := map[string]struct {
		pace pace
		want time.Duration
	}{
		"nothing is known: look again soon":                      {pace{every: 10 * s}, 2 * s},
		"nothing is known: never later than every":               {pace{every: s}, s},
		"just after the next sample":                             {pace{every: 2 * s, due: at(1500 * time.Millisecond), interval: 2 * s}, 1620 * time.Millisecond},
		"the last sample within every, if every is longer":       {pace{every: 10 * s, due: at(s), interval: 2 * s}, 9*s + 120*time.Millisecond},
		"every, if no sample is expected before":                 {pace{every: 5 * s, due: at(25 * s), interval: 30 * s}, 5 * s},
		"at most four times a second":                            {pace{every: 2 * s, due: at(50 * time.Millisecond), interval: 2 * s}, 250 * time.Millisecond},
		"a late target is asked for again":                       {pace{every: 2 * s, due: at(2 * s), interval: 2 * s, behind: true}, 250 * time.Millisecond},
		"a sample that is overdue is asked for again":            {pace{every: 10 * s, due: at(-s), interval: 2 * s, idle: 4}, 250 * time.Millisecond},
		"a target that stays away is asked for at its pace":      {pace{every: 10 * s, due: at(-9 * s), interval: 2 * s, idle: 5}, 2 * s},
		"a failed query is repeated soon":                        {pace{every: 10 * s, due: at(s), interval: 2 * s, failed: 1}, 500 * time.Millisecond},
		"a server that stays away is asked more and more rarely": {pace{every: 10 * s, due: at(s), interval: 2 * s, failed: 99}, 8 * s},
		"an every of zero is the least time":                     {pace{due: at(s), interval: 2 * s}, 250 * time.Millisecond},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.pace.asked = start
			if got := c.pace.next().Sub(start); got != c.want {
				t.Errorf("next query after %s, want %s", got, c.want)
			}
		})
	}
}

func TestSkew(t *testing.T) {
	var k skew
	at := start.Add
	k.learn(at(10*time.Second), at(0), at(20*time.Millisecond))
	if want := 9990 * time.Millisecond; k.ahead != want {
		t.Fatalf("ahead by %s, want %s", k.ahead, want)
	}
	k.learn(at(75*time.Second), at(60*time.Second), at(62*time.Second))
	if want := 9990 * time.Millisecond; k.ahead != want {
		t.Errorf("after a slow answer ahead by %s, want still %s", k.ahead, want)
	}
	k.learn(at(140*time.Second), at(120*time.Second), at(120*time.Second))
	if want := 20 * time.Second; k.ahead != want {
		t.Errorf("after a quick answer ahead by %s, want %s", k.ahead, want)
	}
}
