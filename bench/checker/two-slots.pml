/*
 * The two-slot algorithm of CONFIG_NO_PAGE_MAPCOUNT (kernel-facts 2.2) in Promela, for SPIN: the same question that
 * bench/checker asks Foliometer. MMS address spaces with at most MOST mappings each, every history of single adds and
 * removes, each one atomic as the large-mapcount lock makes it. Is a folio that several map ever called exclusive?
 */
#define MMS 5
#define MOST 6

byte mapped[MMS];
byte total;
byte owner[2]; /* mm + 1; 0: free */
byte owned[2];
bit shared;

#define ONE_HAS_ALL \
	(mapped[0] == total || mapped[1] == total || mapped[2] == total || mapped[3] == total || mapped[4] == total)

proctype mapper(byte mm) {
	do
	:: atomic { mapped[mm] < MOST ->
		mapped[mm]++;
		total++;
		if
		:: owner[0] == mm + 1 -> owned[0]++
		:: else ->
			if
			:: owner[1] == mm + 1 -> owned[1]++
			:: else ->
				if
				:: owner[0] == 0 ->
					owner[0] = mm + 1;
					owned[0] = 1;
					if
					:: total != 1 -> shared = 1
					:: else
					fi
				:: else ->
					if
					:: owner[1] == 0 ->
						owner[1] = mm + 1;
						owned[1] = 1;
						shared = 1
					:: else
					fi
				fi
			fi
		fi;
		assert(shared || ONE_HAS_ALL)
	}
	:: atomic { mapped[mm] > 0 ->
		mapped[mm]--;
		total--;
		if
		:: owner[0] == mm + 1 && owned[0] > 1 -> owned[0]--
		:: owner[1] == mm + 1 && owned[1] > 1 -> owned[1]--
		:: else ->
			if
			:: owner[0] == mm + 1 -> owner[0] = 0; owned[0] = 0
			:: owner[1] == mm + 1 -> owner[1] = 0; owned[1] = 0
			:: else
			fi;
			if
			:: owned[0] == total || owned[1] == total -> shared = 0
			:: else
			fi
		fi;
		assert(shared || ONE_HAS_ALL)
	}
	od
}

init {
	atomic {
		byte mm;
		for (mm : 0 .. MMS - 1) {
			run mapper(mm)
		}
	}
}
